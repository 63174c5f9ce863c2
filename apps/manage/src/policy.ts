import type { Log, LogFacts } from '@novella/core';
import { type EffectiveRule, openNovaPolicy } from '@novella/policy';
import { readConfig, systemClock } from '@novella/service-kit';
import { type Command, table } from './command.js';
import { PolicySettings } from './settings.js';

export const policyList: Command = {
  usage: 'policy list',
  summary: 'checks the policy files and lists the rules in force; --changed: those that the files decide',
  options: { changed: { type: 'boolean' } },
  run(_args, options, env) {
    const warnings: string[] = [];
    const policy = openNovaPolicy(readConfig(PolicySettings, env), { clock: systemClock, log: collecting(warnings) });
    const rules = [...policy.rules().effective.values()]
      .filter((rule) => options['changed'] !== true || rule.file !== null)
      .map(shown)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const rows = rules.map(({ name, check, from }) => [name, check === '' ? '""' : check, from]);
    const text = rules.length === 0 ? 'no file says anything' : table(['RULE', 'CHECK', 'FROM'], rows);
    return Promise.resolve({ text: [text, ...warnings].join('\n'), json: { rules, warnings } });
  },
};

function shown({ name, text, file, deprecated }: EffectiveRule) {
  const from = file === null ? 'code' : `${file.path}:${file.line}`;
  if (deprecated === 'or-deprecated') return { name, check: text, from: 'code, with its old default' };
  return { name, check: text, from: deprecated === null ? from : `${from}, by its old name` };
}

/** Keeps what operators should know of their files. */
function collecting(warnings: string[]): Log {
  const ignore = (): void => undefined;
  const warn = (message: string, facts: LogFacts = {}): void =>
    void warnings.push(`warning: ${message}: ${Object.values(facts).join(', ')}`);
  return { debug: ignore, info: ignore, warn, error: ignore };
}
