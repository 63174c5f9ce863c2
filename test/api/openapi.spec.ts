import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { seededRandom } from '@novella/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { bodyJson } from '../../apps/nova-api/src/http/body-json.js';
import type { Microversion } from '../../apps/nova-api/src/http/microversion.js';
import { parseBody, parseFreeBody, parseQuery } from '../../apps/nova-api/src/http/parse-request.js';
import { whyNotUuid } from '../../apps/nova-api/src/http/rules.js';
import { parseTime } from '../../apps/nova-api/src/http/timestamps.js';
import { whyNotBase64 } from '../../apps/nova-api/src/servers/create-server.dto.js';
import { startNovaApi } from '../../apps/nova-api/src/testing/start-nova-api.js';
import { Chance } from '../fuzz/chance.js';
import { changedBody } from '../fuzz/odd-bodies.js';
import { jsonText, oddText } from '../fuzz/odd-values.js';
import { describeApi, isDescribed, OPENAPI_FILE, type OpenApi, openApiText, pathOf } from './describe.js';
import { documented } from './documented.js';
import { exampleOf, type ExampleSource } from './examples.js';
import { findOperations } from './find-operations.js';
import type { Found, Operation } from './operations.js';
import { isRule, type JsonSchema, type RequestClass, requestSchema } from './request-schema.js';
import { REFERENCE_FILE, routeTable, withTable } from './route-table.js';
import { wordsOfTheSource } from './words.js';

/** The document that nova-api serves against nova-api itself. */
const LONG = 600_000;
const EXAMPLES = 12;
const CHANGES = 12;

const text = readFileSync(OPENAPI_FILE, 'utf8');
const document = JSON.parse(text) as OpenApi;
let found: Found;
let source: ExampleSource;
const chance = new Chance(seededRandom(7));
beforeAll(async () => {
  const words = await wordsOfTheSource();
  found = await findOperations(words);
  source = { random: chance.random, words, forField: (field) => found.known.forField(field) };
}, LONG);

describe('openapi.json', () => {
  it('is what the API shows when it is asked; `npm run -s api-description` writes it anew', () => {
    expect(text.split('\n')).toEqual(openApiText(describeApi(found)).split('\n'));
  });

  it('and the table of docs/api-reference.md tell the same', () => {
    const page = readFileSync(REFERENCE_FILE, 'utf8');
    expect(page.split('\n')).toEqual(withTable(page, routeTable(found)).split('\n'));
  });

  it('is served to everybody', async () => {
    const api = await startNovaApi();
    const { code, headers, json } = await api.ask('GET', '/openapi.json', { as: null });
    await api.close();
    expect([code, headers['content-type'], json]).toEqual([200, 'application/json', document]);
  });

  it('describes each route that the router has, and nothing else', () => {
    const routed = found.routes.filter(isDescribed).map((route) => `${route.method} ${pathOf(route)}`);
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(routed.toSorted());
    expect(routed.length).toBeGreaterThan(30);
  });

  it('tells of a success for each operation, and of what it refers to', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    const without = operations.filter(({ responses }) => !Object.keys(responses).some((code) => code < '300'));
    expect(without).toEqual([]);
    const refs = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, ref]) => ref ?? '');
    const missing = refs.filter((ref) => ref.split('/').reduce<unknown>(inside, document) === undefined);
    expect(missing).toEqual([]);
    const unused = Object.keys(document.components.schemas).filter(
      (name) => !refs.includes(`components/schemas/${name}`),
    );
    expect(unused).toEqual([]);
  });
});

const inside = (value: unknown, key: string): unknown => (value as Record<string, unknown> | undefined)?.[key];

const ajv = new Ajv2020({
  strict: false,
  strictNumbers: true,
  formats: {
    uuid: (value: string) => whyNotUuid(value) === null,
    'date-time': (value: string) => parseTime(value) !== null,
    base64: (value: string) => whyNotBase64(value) === null,
    ipv4: isIPv4,
    ipv6: isIPv6,
  },
});
const letThrough = (work: () => unknown): boolean => {
  try {
    work();
    return true;
  } catch {
    return false;
  }
};

function* microversions(operation: Operation, part: 'body' | 'query'): Generator<[Microversion, RequestClass]> {
  for (const stretch of operation.stretches) {
    const type = stretch[part];
    if (type === null) continue;
    for (let version = stretch.from; version <= stretch.to; version = (version + 1) as Microversion) {
      yield [version, type];
    }
  }
}

describe('each request schema', () => {
  it('lets through what the API lets through at the same microversion, and refuses what that refuses', () => {
    const asBefore = new Set<JsonSchema>();
    const disagreements: string[] = [];
    const counted = { right: 0, wrong: 0 };
    for (const operation of found.operations) {
      for (const [version, type] of microversions(operation, 'body')) {
        const schema = documented(document).body(operation, version);
        if (asBefore.has(schema)) continue;
        asBefore.add(schema);
        const described = ajv.compile(schema);
        for (const body of bodiesOf(type, version)) {
          const at = { microversion: version, legacy: false };
          const right = letThrough(() => (isRule(type) ? parseFreeBody(type, body) : parseBody(type, body, at)));
          counted[right ? 'right' : 'wrong'] += 1;
          if (described(body) !== right)
            disagreements.push(`${type.name} 2.${version} ${right} ${JSON.stringify(body).slice(0, 500)}`);
        }
      }
    }
    expect(disagreements).toEqual([]);
    expect(counted.right).toBeGreaterThan(500);
    expect(counted.wrong).toBeGreaterThan(500);
  });

  it('lets through what was carried out', () => {
    const examples = found.operations.flatMap((operation) =>
      operation.examples.map((example) => ({ operation, ...example })),
    );
    const refused = examples
      .filter(
        ({ operation, body, microversion }) => body !== undefined && documented(document).has(operation, microversion),
      )
      .filter(
        ({ operation, body, microversion }) => !ajv.validate(documented(document).body(operation, microversion), body),
      );
    expect(refused).toEqual([]);
  });
});

it('each query parameter lets through what the API lets through at the same microversion', () => {
  const disagreements: string[] = [];
  for (const operation of found.operations) {
    for (const [version, type] of microversions(operation, 'query')) {
      const parameters = documented(document).query(operation, version);
      const names = Object.keys(requestSchema(type, version)['properties'] as object);
      if (isRule(type)) throw new Error('a query is read with a class');
      if (names.toSorted().join() !== [...parameters.keys()].toSorted().join()) {
        disagreements.push(`${operation.route.url} 2.${version}: ${names.join()}`);
      }
      for (let tried = 0; tried < 5; tried += 1) {
        const name = chance.yes(0.9) ? chance.one(names) : 'no-such-parameter';
        const value = chance.yes(0.5)
          ? oddText(chance, source.words)
          : valueOf(exampleOf(parameters.get(name) ?? {}, { optional: 'some' }, source));
        const schema = parameters.get(name);
        // Given several times it is a list.
        const lists = schema?.['type'] === 'array' ? [name] : [];
        const right = letThrough(() =>
          parseQuery(
            type,
            { [name]: value },
            { microversion: version, legacy: false },
            { unknownKeys: 'refuse', lists },
          ),
        );
        const described = schema !== undefined && ajv.validate(schema, lists.length === 0 ? value : [value]);
        if (described !== right)
          disagreements.push(`${operation.route.url} 2.${version}: ${name}=${value.slice(0, 100)} ${right}`);
      }
    }
  }
  expect(disagreements).toEqual([]);
});

/** Of a list its first. */
function valueOf(example: unknown): string {
  const [one] = [example].flat();
  return typeof one === 'string' ? one : JSON.stringify(one ?? '');
}

/** Right ones, and such as differ from right ones in one place or two. */
function* bodiesOf(type: RequestClass, version: Microversion): Generator {
  const schema = requestSchema(type, version);
  for (let made = 0; made < EXAMPLES; made += 1) {
    const right = exampleOf(schema, { optional: 'some' }, source);
    yield right;
    let wrong = right;
    for (let changed = 0; changed < CHANGES; changed += 1) {
      wrong = changedBody(changed % 2 === 0 ? right : wrong, chance, source.words);
      const json = asJson(jsonText(wrong));
      if (json !== undefined) yield json;
    }
  }
}

/** undefined for what the API refuses before it looks at a schema. */
function asJson(text: string): unknown {
  try {
    return bodyJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}
