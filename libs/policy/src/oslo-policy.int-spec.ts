import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { seededRandom } from '@novella/testing';
import { findCycle } from './effective-rules.js';
import { type PolicyCase, policyCase } from './testing/test-cases.js';
import { effectiveOf, rulesOf } from './testing/test-rules.js';

/** Debian's python3-oslo.policy decides the same cases. A difference is printed with its case; the seed makes it again. */
const PEER = new URL('./testing/oslo-policy-peer.py', import.meta.url).pathname;
const SEED = 20_260_903;
const CASES = 3000;

/** true, false, or the exception that was raised. */
type Answer = boolean | string;

async function osloDecides(cases: readonly PolicyCase[]): Promise<Answer[]> {
  const child = spawn('/usr/bin/python3', [PEER], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(cases));
  return JSON.parse(await text(child.stdout)) as Answer[];
}

function weDecide({ target, credentials, ...given }: PolicyCase): boolean {
  return rulesOf({ ...given, file: given.rules }).decideHere('asked', target, credentials);
}

/** Refused when policies are loaded; Python recurses until it breaks. */
const neverEnds = ({ rules, defaults, enforceNewDefaults }: PolicyCase): boolean =>
  findCycle(effectiveOf({ defaults, file: rules, enforceNewDefaults })) !== null;

describe('rules, callers and targets by chance', () => {
  const random = seededRandom(SEED);
  const cases = Array.from({ length: CASES }, () => policyCase(random)).filter((each) => !neverEnds(each));
  let answers: Answer[] = [];
  beforeAll(async () => {
    answers = await osloDecides(cases);
  }, 120_000);

  it('are decided as oslo.policy decides them; where it raises, nothing is allowed', () => {
    const different = cases
      .map((given, at) => ({ given, oslo: answers[at], ours: weDecide(given) }))
      .filter(({ oslo, ours }) => ours !== (oslo === true));
    expect(different.slice(0, 3).map((each) => JSON.stringify(each))).toEqual([]);
    expect(answers).toHaveLength(cases.length);
  });

  it('are of all kinds: allowed, denied and broken', () => {
    const share = (is: (answer: Answer) => boolean) => answers.filter(is).length / answers.length;
    expect(share((answer) => answer === true)).toBeGreaterThan(0.15);
    expect(share((answer) => answer === false)).toBeGreaterThan(0.15);
    expect(share((answer) => typeof answer === 'string')).toBeGreaterThan(0.02);
  });
});
