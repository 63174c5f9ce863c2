import type { Random } from '@novella/core';
import type { Observed } from './observe.js';
import type { AnswerKeys, Example } from './operations.js';

/** What answers to requests that were carried out have in common. */
export interface Answer {
  readonly code: number;
  readonly text: string;
  readonly json: unknown;
}
export type Asked = Observed & { readonly answer: Answer };
export interface CarriedOut {
  readonly asked: Asked;
  readonly example: Example;
}

export function answersOf(carriedOut: readonly CarriedOut[]): Map<number, AnswerKeys | null> {
  const answers = new Map<number, AnswerKeys | null>();
  for (const { asked, example } of carriedOut) {
    const { code, text, json } = asked.answer;
    if (text === '' || typeof json !== 'object' || json === null) {
      answers.set(code, answers.get(code) ?? null);
      continue;
    }
    // A key that the path has named is data.
    const keys = Object.keys(json).filter((key) => !example.parameters.includes(key));
    const known = answers.get(code);
    const all = [...(known?.always ?? []), ...(known?.sometimes ?? []), ...keys];
    const always = (known?.always ?? keys).filter((key) => keys.includes(key));
    answers.set(code, { always, sometimes: [...new Set(all)].filter((key) => !always.includes(key)) });
  }
  return answers;
}

/** The body with one more item in its list, of ids that nothing has; null when there is no list. */
export function withStranger(body: unknown, random: Random): unknown {
  const [key, list] = Object.entries(body ?? {}).find(([, value]) => Array.isArray(value)) ?? [];
  if (key === undefined || !Array.isArray(list) || list.length === 0) return null;
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
  const stranger: unknown = JSON.parse(JSON.stringify(list[0]).replaceAll(uuid, () => random.uuid()));
  return { ...(body as object), [key]: [...(list as unknown[]), stranger] };
}
