import { seededRandom } from '@novella/testing';
import {
  formatMicroversion,
  MAX_MICROVERSION,
  MIN_MICROVERSION,
  type Microversion,
  SINCE,
  UNTIL,
} from '../../apps/nova-api/src/http/microversion.js';
import { ADMIN } from '../../apps/nova-api/src/testing/start-nova-api.js';
import { answersOf, type Asked, type CarriedOut, withStranger } from './answers.js';
import { type Amount, exampleOf, type ExampleSource, NoExample, optionalPaths, queryText } from './examples.js';
import { KnownValues } from './known-values.js';
import { learnFrom, parameterSets } from './learn.js';
import { type Observed, observed } from './observe.js';
import type { Classes, Found, Operation, Stretch } from './operations.js';
import { type RequestClass, requestSchema, turningPoints } from './request-schema.js';
import { isVersioned, type Route, takesBody, urlOf } from './routes.js';
import { openWorld, type World } from './world.js';

const SEED = 1;
const TURNS = turningPoints(Object.values(SINCE), Object.values(UNTIL));
const NONSENSE = 'no-such-thing-at-all';
const NEW_NAME = 'new';
const LOOKS = 3;
const LEAST: Amount = { optional: 'least', pick: 0 };

export async function findOperations(words: readonly string[]): Promise<Found> {
  const finder = new Finder(words, await openWorld(SEED));
  try {
    return await finder.find();
  } finally {
    await finder.close();
  }
}

interface Wanted {
  readonly route: Route;
  readonly action: string | null;
}

class Finder {
  private readonly known: KnownValues;
  private readonly source: ExampleSource;
  /** Something was written since the world was made. */
  private used = false;

  constructor(
    words: readonly string[],
    private world: World,
  ) {
    this.known = new KnownValues(world.known);
    this.source = { random: seededRandom(SEED), words, forField: (field) => this.known.forField(field) };
  }

  close(): Promise<void> {
    return this.world.close();
  }

  async find(): Promise<Found> {
    const { routes } = this.world;
    await learnFrom(this.world, this.known);
    const operations: Operation[] = [];
    for (const route of routes) {
      for (const action of await this.actionsOf(route)) operations.push(await this.operation({ route, action }));
    }
    return { routes, operations, known: this.known };
  }

  /** null alone where no key of the body says what to do. */
  private async actionsOf(route: Route): Promise<(string | null)[]> {
    if (!takesBody(route) || !isVersioned(route)) return [null];
    const [parameters = []] = parameterSets(route, this.known);
    const found = new Set<string>();
    for (const version of [MAX_MICROVERSION, MIN_MICROVERSION]) {
      const plain = await this.ask(route, parameters, version, { [NONSENSE]: null });
      if (plain.parsed.length > 0) continue;
      for (const word of this.source.words) {
        const { answer } = await this.ask(route, parameters, version, { [word]: null });
        const same = plain.answer.code === answer.code && plain.answer.text.replaceAll(NONSENSE, word) === answer.text;
        if (!same) found.add(word);
      }
    }
    await this.renew();
    return found.size === 0 ? [null] : [...found].toSorted();
  }

  private async operation(wanted: Wanted): Promise<Operation> {
    const stretches: Stretch[] = [];
    const turns = isVersioned(wanted.route) ? TURNS : TURNS.slice(0, 1);
    for (const [index, from] of turns.entries()) {
      const to = ((turns[index + 1] ?? MAX_MICROVERSION + 1) - 1) as Microversion;
      const classes = (await this.look(wanted, from)) ?? (await this.again(() => this.look(wanted, from)));
      if (classes !== null) stretches.push({ from, to, ...classes });
    }
    const joined = join(stretches);
    const carriedOut: CarriedOut[] = [];
    for (const stretch of joined) {
      for (const version of new Set([stretch.from, stretch.to])) {
        const done =
          (await this.carryOut(wanted, stretch, version)) ??
          (await this.again(() => this.carryOut(wanted, stretch, version)));
        if (done === null) continue;
        carriedOut.push(done, ...(await this.inPart(wanted, done)), ...(await this.queried(wanted, stretch, done)));
        carriedOut.push(...(await this.elsewhere(wanted, stretch, done)));
      }
    }
    if (!isVersioned(wanted.route)) carriedOut.push(...(await this.withoutStore(wanted)));
    return {
      ...wanted,
      stretches: joined,
      rules: [...new Set(carriedOut.flatMap(({ asked }) => asked.rules))],
      successes: answersOf(carriedOut),
      examples: carriedOut.map(({ example }) => example),
    };
  }

  /** Whether it is there, and with which classes; null when it is not. */
  private async look({ route, action }: Wanted, version: Microversion): Promise<Classes | null> {
    for (const parameters of parameterSets(route, this.known).slice(0, LOOKS)) {
      const plain = action === null ? {} : { [action]: null };
      const first = await this.ask(route, parameters, version, plain);
      const body = classOf(first, 'body');
      if (body === null) {
        if (isThere(first)) return { body, query: classOf(first, 'query') };
        continue;
      }
      for (const example of this.bodies(body, version, parameters).slice(0, LOOKS)) {
        const asked = await this.ask(route, parameters, version, example);
        if (isThere(asked)) return { body, query: classOf(asked, 'query') };
      }
    }
    return null;
  }

  /** Asks until it is carried out, or everything likely was asked: then null. */
  private async carryOut({ route, action }: Wanted, { body: type }: Classes, version: Microversion) {
    const plain = action === null ? undefined : { [action]: null };
    for (const parameters of parameterSets(route, this.known)) {
      for (const body of type === null ? [plain] : this.bodies(type, version, parameters)) {
        const asked = await this.ask(route, parameters, version, body);
        if (asked.answer.code < 400) return { asked, example: { microversion: version, parameters, body } };
      }
    }
    return null;
  }

  /** The same with one more item in its list, of what does not exist: some of it may be carried out. */
  private async inPart({ route }: Wanted, { example }: CarriedOut): Promise<CarriedOut[]> {
    const body = withStranger(example.body, this.source.random);
    if (body === null) return [];
    const asked = await this.ask(route, example.parameters, example.microversion, body);
    return asked.answer.code < 400 ? [{ asked, example: { ...example, body } }] : [];
  }

  /** A PUT of something that is not there yet: it may be made. */
  private async elsewhere({ route }: Wanted, { body: type }: Stretch, { example }: CarriedOut): Promise<CarriedOut[]> {
    const { microversion, parameters: old } = example;
    if (route.method !== 'PUT' || old.length < 2) return [];
    const parameters = [...old.slice(0, -1), NEW_NAME];
    const [body] = type === null ? [example.body] : this.bodies(type, microversion, parameters);
    const asked = await this.ask(route, parameters, microversion, body);
    return asked.answer.code < 400 ? [{ asked, example: { microversion, parameters, body } }] : [];
  }

  /** The same with each thing that its query may have: a page has a link to the next one. */
  private async queried({ route }: Wanted, { query }: Stretch, { example }: CarriedOut): Promise<CarriedOut[]> {
    if (query === null) return [];
    const { microversion, parameters, body } = example;
    const amounts = optionalPaths(requestSchema(query, microversion)).map((name) => ({ ...LEAST, with: name }));
    // Both with what there is and with any value: a page of 1 is never the last.
    const values = [true, false].flatMap((known) => this.bodies(query, microversion, [], amounts, known));
    const carriedOut: CarriedOut[] = [];
    for (const value of values) {
      const asked = await this.ask(route, parameters, microversion, body, `?${queryText(value as object)}`);
      if (asked.answer.code < 400) carriedOut.push({ asked, example });
    }
    return carriedOut;
  }

  /** What is told of it although, or because, the store is away. */
  private async withoutStore({ route }: Wanted): Promise<CarriedOut[]> {
    await this.world.api.store.close();
    const asked = await this.ask(route, [], MIN_MICROVERSION);
    await this.renew();
    return [{ asked, example: { microversion: MIN_MICROVERSION, parameters: [], body: undefined } }];
  }

  /** In a world where nothing is used up. */
  private async again<T>(work: () => Promise<T | null>): Promise<T | null> {
    if (!this.used) return null;
    await this.renew();
    return work();
  }

  private async renew(): Promise<void> {
    await this.world.close();
    this.world = await openWorld(SEED);
    this.used = false;
  }

  /** With the least in them, and with one optional thing more. */
  private bodies(
    type: RequestClass,
    version: Microversion,
    parameters: readonly string[],
    wanted?: readonly Amount[],
    known = true,
  ): unknown[] {
    const schema = requestSchema(type, version);
    const key = parameters.at(-1);
    const source = {
      ...this.source,
      ...(key === undefined ? {} : { key }),
      ...(known ? {} : { forField: () => [] }),
    };
    const least = [0, 1, 2].map((pick): Amount => ({ ...LEAST, pick }));
    const more = optionalPaths(schema).map((path): Amount => ({ ...LEAST, with: path }));
    return (wanted ?? [...least, ...more]).flatMap((amount) => {
      try {
        return [exampleOf(schema, amount, source)];
      } catch (error) {
        if (error instanceof NoExample) return [];
        throw error;
      }
    });
  }

  private async ask(
    route: Route,
    parameters: readonly string[],
    version: Microversion,
    body?: unknown,
    query = '',
  ): Promise<Asked> {
    const asked = await observed(() =>
      this.world.api.ask(route.method as 'GET', `${urlOf(route, parameters)}${query}`, {
        as: ADMIN,
        version: formatMicroversion(version),
        ...(body === undefined || !takesBody(route) ? {} : { body }),
      }),
    );
    if (asked.answer.code < 300 && route.method !== 'GET') {
      this.used = true;
      await this.world.settle();
    }
    return asked;
  }
}

const classOf = ({ parsed }: Observed, part: 'body' | 'query'): RequestClass | null =>
  parsed.find(({ what }) => what === part)?.type ?? null;

/** A resource that is not found was looked for after a rule was asked, or the route is not there at this version. */
const isThere = ({ answer, rules }: Asked): boolean => answer.code !== 404 || rules.length > 0;

function join(stretches: readonly Stretch[]): Stretch[] {
  const all: Stretch[] = [];
  for (const stretch of stretches) {
    const last = all.at(-1);
    const goesOn =
      last !== undefined && last.to + 1 === stretch.from && last.body === stretch.body && last.query === stretch.query;
    if (goesOn) all[all.length - 1] = { ...last, to: stretch.to };
    else all.push(stretch);
  }
  return all;
}
