import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@novella/testing';
import { findOperations } from '../api/find-operations.js';
import type { Found } from '../api/operations.js';
import { wordsOfTheSource } from '../api/words.js';
import { openWorld, type World } from '../api/world.js';
import { asDescribed, type AsDescribed } from './described.js';
import { type FuzzAnswer, mistakesOf } from './judge.js';
import { keystoneOfTokens } from './keystone-tokens.js';
import { leakFinder } from './leaks.js';
import { type FuzzRequest, RequestMaker } from './requests.js';
import { errorText, nameOf } from './told.js';

/** Requests by chance against nova-api on the memory store, in rounds, each with a world of its own, in turn with Keystone. */
export interface Fuzz {
  readonly found: Found;
  readonly words: readonly string[];
  readonly leakIn: (text: string) => string | null;
  readonly asDescribed: AsDescribed;
}
export interface Ran {
  readonly requests: number;
  readonly findings: readonly Finding[];
  /** How often each code was answered. */
  readonly codes: Readonly<Record<number, number>>;
  /** How often each operation was asked, and carried out. */
  readonly operations: ReadonlyMap<string, { readonly asked: number; readonly carriedOut: number }>;
}
export interface Finding {
  readonly mistakes: readonly string[];
  readonly request: FuzzRequest;
  readonly answer: FuzzAnswer;
  /** What the log said of it. */
  readonly logged: string;
  /** The round and how far to go in it. */
  readonly seed: number;
  readonly requests: number;
}

export const ROUND = 250;
const SETTLE_EVERY = 25;
/** No answer for so long is a hang. */
const HANG_MS = 30_000;
const ENOUGH = 25;

export async function prepareFuzz(): Promise<Fuzz> {
  const leakIn = await leakFinder();
  const words = (await wordsOfTheSource()).filter((word) => leakIn(word) === null);
  const found = await findOperations(words);
  return { found, words, leakIn, asDescribed: asDescribed(found) };
}

export async function runFuzz(fuzz: Fuzz, seed: number, requests: number): Promise<Ran> {
  const findings: Finding[] = [];
  const codes: Record<number, number> = {};
  const operations = new Map<string, { asked: number; carriedOut: number }>();
  let left = requests;
  for (let round = seed; left > 0 && findings.length < ENOUGH; round += 1) {
    await runRound(fuzz, round, Math.min(ROUND, left), ({ operation }, answer, finding) => {
      codes[answer.code] = (codes[answer.code] ?? 0) + 1;
      const name = nameOf(operation);
      const counted = operations.get(name) ?? { asked: 0, carriedOut: 0 };
      operations.set(name, { asked: counted.asked + 1, carriedOut: counted.carriedOut + Number(answer.code < 400) });
      if (finding !== null && !findings.some((known) => isAlike(known, finding))) findings.push(finding);
    });
    left -= ROUND;
  }
  return { requests: requests - Math.max(0, left), findings, codes, operations };
}

type OnAnswer = (request: FuzzRequest, answer: FuzzAnswer, finding: Finding | null) => void;

async function runRound(fuzz: Fuzz, seed: number, requests: number, onAnswer: OnAnswer): Promise<void> {
  const world = await openWorld(1, {}, seed % 2 === 0 ? { authenticator: keystoneOfTokens() } : {});
  const maker = new RequestMaker(fuzz.found, fuzz.words, seededRandom(seed));
  try {
    let before = world.digest();
    for (let number = 1; number <= requests; number += 1) {
      const request = injectable(maker.make());
      const logged = world.api.logged.length;
      const answer = await ask(world, request);
      const after = world.digest();
      const mistakes = [
        ...mistakesOf(request, answer, after !== before, fuzz.leakIn),
        ...fuzz.asDescribed(request, answer),
      ];
      const log = JSON.stringify(world.api.logged.slice(logged).map(errorText));
      const found = { mistakes, request, answer, logged: log, seed, requests: number };
      onAnswer(request, answer, mistakes.length === 0 ? null : found);
      before = after;
      if (number % SETTLE_EVERY === 0) {
        await world.settle();
        before = world.digest();
      }
    }
  } finally {
    await world.close();
  }
}

export function injectable(request: FuzzRequest): FuzzRequest {
  const { pathname, search } = injected(request.url);
  return { ...request, url: `${pathname}${search}` };
}

/** What `inject` makes of a path: `..` is gone, the rest is as it was. */
function injected(url: string): URL {
  const question = url.indexOf('?');
  const whole = new URL('http://localhost');
  whole.pathname = question < 0 ? url : url.slice(0, question);
  whole.search = question < 0 ? '' : url.slice(question);
  return whole;
}

export async function ask(
  { api }: Pick<World, 'api'>,
  { method, url: path, headers, payload }: FuzzRequest,
): Promise<FuzzAnswer> {
  const url = injected(path);
  const limit = new AbortController();
  const answered = api.app.inject({
    method: method as 'GET',
    // In one piece it could be taken for one with a host.
    url: { pathname: url.pathname, search: url.search } as unknown as string,
    headers: headers as Record<string, string>,
    ...(payload === undefined ? {} : { payload }),
  });
  const hung = sleep(HANG_MS, null, { signal: limit.signal }).catch(() => null);
  const answer = await Promise.race([answered, hung]);
  limit.abort();
  if (answer === null) return { code: 599, headers: {}, text: 'no answer' };
  return { code: answer.statusCode, headers: answer.headers, text: answer.body };
}

/** One of a kind is enough to know. */
const isAlike = (a: Finding, b: Finding): boolean =>
  a.logged === b.logged && a.mistakes.join() === b.mistakes.join() && a.request.operation === b.request.operation;
