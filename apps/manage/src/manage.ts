import { toErrorRecord } from '@novella/core';
import { PolicyError } from '@novella/policy';
import { ConfigError, type Environment, printed } from '@novella/service-kit';
import { parseArgs } from 'node:util';
import { type Command, UsageError } from './command.js';
import { hostList, hostPing } from './host.js';
import { migrate } from './migrate.js';
import { operationList, operationShow } from './operation.js';
import { policyList } from './policy.js';

export const COMMANDS: readonly Command[] = [migrate, hostPing, hostList, operationList, operationShow, policyList];

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** 0 done, 1 it failed, 2 wrong command line or settings. */
  readonly code: 0 | 1 | 2;
}

/** One run of `novella-manage` with these arguments. */
export async function manage(argv: readonly string[], env?: Environment): Promise<Ended> {
  const json = argv.includes('--json');
  if (argv.length === 0 || argv[0] === 'help' || argv.includes('--help')) return said(help());
  try {
    const { command, args, options } = parse(argv);
    const finding = await command.run(args, options, env);
    return said(json ? JSON.stringify(finding.json) : finding.text, finding.isBad === true ? 1 : 0);
  } catch (error) {
    if (error instanceof UsageError) return complaint(`${error.message}\n\n${help()}`, 2);
    if (error instanceof ConfigError || error instanceof PolicyError) return complaint(error.message, 2);
    const stdout = json ? `${JSON.stringify({ error: toErrorRecord(error) })}\n` : '';
    return { ...complaint(printed(error), 1), stdout };
  }
}

function parse(argv: readonly string[]) {
  const command = COMMANDS.find(({ usage }) => isCalled(usage, argv));
  if (command === undefined) throw new UsageError(`there is no command ${argv.slice(0, 2).join(' ')}`);
  const { words, wanted } = partsOf(command);
  try {
    const { values, positionals } = parseArgs({
      args: argv.slice(words.length),
      options: { ...command.options, json: { type: 'boolean' } },
      allowPositionals: true,
    });
    if (positionals.length !== wanted.length) throw new UsageError(`it is called so: novella-manage ${command.usage}`);
    return { command, args: positionals, options: values as Readonly<Record<string, string | boolean | undefined>> };
  } catch (error) {
    if (isParseFault(error)) throw new UsageError(error.message);
    throw error;
  }
}

/** What `parseArgs` throws at a wrong option. */
const isParseFault = (error: unknown): error is Error & { code: string } =>
  typeof error === 'object' && error !== null && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');

const partsOf = ({ usage }: Pick<Command, 'usage'>) => {
  const parts = usage.split(' ');
  return {
    words: parts.filter((part) => part !== part.toUpperCase()),
    wanted: parts.filter((part) => part === part.toUpperCase()),
  };
};

const isCalled = (usage: string, argv: readonly string[]): boolean =>
  partsOf({ usage }).words.every((word, index) => argv[index] === word);

function help(): string {
  const width = Math.max(...COMMANDS.map(({ usage }) => usage.length));
  const lines = COMMANDS.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`);
  return [
    'novella-manage COMMAND [--json]',
    '',
    ...lines,
    `  ${'help'.padEnd(width)}  this`,
    '',
    'operation list takes --open, --state STATE, --waiting-for WHAT, --kind KIND, --server ID, --host HOST,',
    '  --older-than 10m, --limit N (100); --stuck alone: rows without an owner and a next step, exit code 1 if there are any.',
    'migrate takes --wait S: how long to wait for a database that is not there yet.',
    'The settings are environment variables: NOVELLA_DATABASE_URL, and NOVELLA_BROKER_URLS for host ping.',
    'policy list takes --changed: only the rules that a file decides. It reads the files that NOVELLA_POLICY_FILE and',
    '  NOVELLA_POLICY_DIRS name, as nova-api would, and ends with 2 naming each line that is wrong.',
    'Exit codes: 0 done, 1 failed (with the error on stderr) or something is stuck, 2 wrong command line or settings.',
  ].join('\n');
}

const said = (text: string, code: 0 | 1 = 0): Ended => ({ stdout: `${text}\n`, stderr: '', code });
const complaint = (text: string, code: 1 | 2): Ended => ({ stdout: '', stderr: `novella-manage: ${text}\n`, code });
