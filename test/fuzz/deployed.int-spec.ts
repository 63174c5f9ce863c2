import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { seededRandom } from '@novella/testing';
import { KnownValues } from '../api/known-values.js';
import { learnFrom } from '../api/learn.js';
import { openWorld, type World } from '../api/world.js';
import { Chance } from './chance.js';
import { mistakesOf, NO_FAULT, NO_REQUEST_ID } from './judge.js';
import { RawClient, type RawAnswer } from './raw-client.js';
import { rawBytes, spoilt } from './raw-requests.js';
import { type FuzzRequest, RequestMaker } from './requests.js';
import { ask, type Fuzz, injectable, prepareFuzz } from './run.js';
import { openSqlWorld, type SqlWorld } from './sql-world.js';
import { told } from './told.js';

/** Requests by chance where they meet more than our own code: Node's parser of HTTP, and Postgres. */
const SEED = Number(process.env['NOVELLA_FUZZ_SEED'] ?? 1);
const REQUESTS = Number(process.env['NOVELLA_FUZZ_REQUESTS'] ?? 1_500);
const LONG = 24 * 3_600_000;
const SETTLE_EVERY = 25;

let fuzz: Fuzz;
beforeAll(async () => {
  fuzz = await prepareFuzz();
}, LONG);

describe('nova-api on real sockets, under requests made by chance', () => {
  let world: World;
  let port: number;
  beforeAll(async () => {
    world = await openWorld(1);
    await world.api.app.listen({ host: '127.0.0.1', port: 0 });
    // Who has ended his side is answered too, so that nothing is under way when the next one asks.
    Object.assign(world.api.app.getHttpServer() as object, { httpAllowHalfOpen: true });
    port = Number(new URL(await world.api.app.getUrl()).port);
  });
  afterAll(() => world.close());

  /** All that is answered to one write, after which there comes no more. */
  async function answersTo(bytes: Buffer): Promise<RawAnswer[]> {
    const client = await RawClient.open(port);
    client.socket.end(bytes);
    await client.closed;
    return client.answers;
  }

  it(
    'answers each as it must, whatever its bytes are',
    async () => {
      const random = seededRandom(SEED);
      const maker = new RequestMaker(fuzz.found, fuzz.words, random);
      const chance = new Chance(random);
      const findings: string[] = [];
      let answered = 0;
      let before = world.digest();
      for (let number = 1; number <= REQUESTS && findings.length < 10; number += 1) {
        const request = maker.make();
        const bytes = rawBytes(request);
        const sent = chance.yes(0.3) ? spoilt(bytes, chance) : bytes;
        const answers = await answersTo(sent);
        const after = world.digest();
        answered += answers.length;
        const refused = answers.every(({ code }) => code >= 400);
        const written = refused && after !== before;
        const mistakes = answers.flatMap((answer) => rawMistakes(request, answer, written));
        const logged = world.api.logged.splice(0);
        if (mistakes.length > 0 || logged.length > 0) {
          findings.push(
            `${number}: ${mistakes.join('; ')}\n${JSON.stringify(sent.toString('latin1')).slice(0, 1500)}\n${JSON.stringify(answers).slice(0, 1500)}\n${JSON.stringify(logged)}`,
          );
        }
        before = after;
        if (number % SETTLE_EVERY === 0) {
          await world.settle();
          before = world.digest();
        }
      }
      expect(findings).toEqual([]);
      expect(answered).toBeGreaterThan(REQUESTS / 2);
    },
    LONG,
  );
});

/** Node's own refusals have no request id, and some have no body. */
function rawMistakes(request: FuzzRequest, answer: RawAnswer, written: boolean): string[] {
  const mistakes = mistakesOf(request, answer, written, fuzz.leakIn).filter((mistake) => mistake !== NO_REQUEST_ID);
  return answer.text === '' ? mistakes.filter((mistake) => !mistake.startsWith(NO_FAULT)) : mistakes;
}

describe('nova-api on Postgres, under requests made by chance', () => {
  let world: SqlWorld;
  let maker: RequestMaker;
  beforeAll(async () => {
    const random = seededRandom(SEED);
    world = await openSqlWorld(random);
    const known = new KnownValues(world.known);
    await learnFrom(world, known);
    // What was carried out elsewhere names what is not here.
    const operations = fuzz.found.operations.map((operation) => ({ ...operation, examples: [] }));
    maker = new RequestMaker({ ...fuzz.found, operations, known }, fuzz.words, random);
  }, LONG);
  afterAll(() => world.close());

  it(
    'answers each as it must, and writes nothing for an error',
    async () => {
      const findings: string[] = [];
      const codes = new Set<number>();
      let before = await world.digest();
      for (let number = 1; number <= REQUESTS && findings.length < 10; number += 1) {
        const request = injectable(maker.make('values'));
        const answer = await ask(world, request);
        codes.add(answer.code);
        const after = await world.digest();
        const mistakes = mistakesOf(request, answer, after !== before, fuzz.leakIn);
        const logged = world.api.logged.splice(0);
        if (mistakes.length > 0) findings.push(told(mistakes, request, answer, logged));
        before = after;
        if (number % SETTLE_EVERY === 0) {
          await world.settle();
          before = await world.digest();
        }
      }
      expect(findings).toEqual([]);
      expect([...codes]).toEqual(expect.arrayContaining([200, 202, 400, 404]));
    },
    LONG,
  );
});
