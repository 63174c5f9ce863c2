import { join } from 'node:path';
import {
  formatMicroversion,
  MAX_MICROVERSION,
  MIN_MICROVERSION,
  type Microversion,
} from '../../apps/nova-api/src/http/microversion.js';
import { COMPONENTS, FAULT, FAULTS, FRAME, STATUS_TEXT } from './openapi-frame.js';
import type { AnswerKeys, Found, Operation, Stretch } from './operations.js';
import { type JsonSchema, type RequestClass, requestSchema } from './request-schema.js';
import { isVersioned, parametersOf, type Route } from './routes.js';

/**
 * The OpenAPI description of what was found (operations.ts). Microversions are told as OpenStack's own descriptions do:
 * `x-openstack` with `min-ver` and `max-ver`, and `discriminator` where one of several schemas is meant.
 */
export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

/** One path, schema or other part to a line, so that a change shows where it is. */
export function openApiText(document: OpenApi): string {
  const { paths, components, ...rest } = document;
  const block = (part: object): string =>
    `{\n${Object.entries(part)
      .map(([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)}`)
      .join(',\n')}\n  }`;
  const { schemas, ...others } = components;
  const lines = Object.entries(rest).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  const inside = [
    ...Object.entries(others).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`),
    `  "schemas": ${block(schemas)}`,
  ];
  return `{\n${[...lines, `  "paths": ${block(paths)}`, `  "components": {\n${inside.join(',\n')}\n  }`].join(',\n')}\n}\n`;
}
export interface OpenApiOperation {
  readonly operationId: string;
  readonly parameters?: readonly unknown[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

export const OPENAPI_FILE = join(import.meta.dirname, '..', '..', 'apps', 'nova-api', 'src', 'openapi', 'openapi.json');

/** Every path that has no version is routed there, whatever it is. */
const UNVERSIONED = '/choices';

export const isDescribed = ({ url }: Route): boolean => url !== UNVERSIONED;

export function describeApi({ operations }: Found): OpenApi {
  const schemas: Record<string, JsonSchema> = {};
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const operation of operations.filter(({ route }) => isDescribed(route))) {
    const { route } = operation;
    const path = (paths[pathOf(route)] ??= {});
    const method = route.method.toLowerCase();
    if (path[method] !== undefined) continue;
    const alike = operations.filter((other) => other.route === route);
    path[method] = describeOperation(alike, schemas);
  }
  return { ...FRAME, paths, components: { ...COMPONENTS, schemas: { Fault: FAULT, ...schemas } } };
}

/** `/v2.1/servers/:id` -> `/v2.1/servers/{id}` */
export const pathOf = ({ url }: Route): string => url.replaceAll(/:([^/]+)/g, '{$1}');

const idOf = ({ method, url }: Route): string =>
  [method.toLowerCase(), ...(url.match(/[A-Za-z0-9._-]+/g) ?? ['root'])].join('_').replace('v2.1_', '');

/** All the actions of one route together. */
function describeOperation(alike: readonly Operation[], schemas: Record<string, JsonSchema>): OpenApiOperation {
  const [first] = alike;
  if (first === undefined) throw new Error('a route without an operation');
  const { route } = first;
  const versioned = isVersioned(route);
  const stretches = alike.flatMap((operation) => operation.stretches);
  const parameters = [
    ...parametersOf(route).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(versioned ? [{ $ref: '#/components/parameters/microversion' }] : []),
    ...queryParameters(stretches),
  ];
  const body = bodySchema(alike, schemas);
  return {
    operationId: idOf(route),
    ...(versioned ? { 'x-openstack': { ...versionsOf(stretches), ...rulesOf(alike) } } : { security: [] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: { ...successes(alike), ...(versioned ? FAULTS : {}) },
  };
}

function rulesOf(alike: readonly Operation[]): object {
  const rules = [...new Set(alike.flatMap((operation) => operation.rules.slice(0, 1)))];
  return rules.length === 0 ? {} : { policies: rules };
}

function versionsOf(stretches: readonly { from: Microversion; to: Microversion }[]): object {
  const from = Math.min(...stretches.map((stretch) => stretch.from)) as Microversion;
  const to = Math.max(...stretches.map((stretch) => stretch.to)) as Microversion;
  return {
    ...(from === MIN_MICROVERSION ? {} : { 'min-ver': formatMicroversion(from) }),
    ...(to === MAX_MICROVERSION ? {} : { 'max-ver': formatMicroversion(to) }),
  };
}

/** One schema for each stretch of microversions in which the class lets the same through. */
function variants(
  type: RequestClass,
  { from, to }: Stretch,
): { from: Microversion; to: Microversion; schema: JsonSchema }[] {
  const all: { from: Microversion; to: Microversion; schema: JsonSchema }[] = [];
  for (let version = from; version <= to; version = (version + 1) as Microversion) {
    const schema = requestSchema(type, version);
    const last = all.at(-1);
    if (last !== undefined && JSON.stringify(last.schema) === JSON.stringify(schema)) last.to = version;
    else all.push({ from: version, to: version, schema });
  }
  return all;
}

function bodySchema(alike: readonly Operation[], schemas: Record<string, JsonSchema>): JsonSchema | null {
  const all = alike.flatMap((operation) => bodyVariants(operation, schemas));
  const [one, ...more] = all;
  if (one === undefined) return null;
  if (more.length === 0) return one;
  const discriminator = alike.length > 1 ? 'action' : 'microversion';
  return { anyOf: all, 'x-openstack': { discriminator } };
}

function bodyVariants({ route, action, stretches }: Operation, schemas: Record<string, JsonSchema>): JsonSchema[] {
  const about = action === null ? {} : { 'action-name': action };
  const name = [idOf(route), ...(action === null ? [] : [action])].join('-');
  return stretches.flatMap((stretch) => {
    const { body } = stretch;
    if (body === null && action === null) return [];
    const made =
      body === null
        ? [{ from: stretch.from, to: stretch.to, schema: anythingUnder(action ?? '') }]
        : variants(body, stretch);
    return made.map(({ from, to, schema }) => {
      const own = `${name}-${formatMicroversion(from)}`;
      schemas[own] = { ...schema, 'x-openstack': { ...about, ...versionsOf([{ from, to }]) } };
      return { $ref: `#/components/schemas/${own}` };
    });
  });
}

/** What stands there is not looked at. */
const anythingUnder = (key: string): JsonSchema => ({
  type: 'object',
  properties: { [key]: {} },
  required: [key],
  additionalProperties: false,
});

function queryParameters(stretches: readonly Stretch[]): JsonSchema[] {
  const found = new Map<string, { from: Microversion; to: Microversion; schemas: JsonSchema[] }>();
  for (const stretch of stretches) {
    if (stretch.query === null) continue;
    for (const { from, to, schema } of variants(stretch.query, stretch)) {
      for (const [name, property] of Object.entries(schema['properties'] as Record<string, JsonSchema>)) {
        const known = found.get(name) ?? { from, to, schemas: [] };
        const isNew = !known.schemas.some((other) => JSON.stringify(other) === JSON.stringify(property));
        found.set(name, { from: known.from, to, schemas: isNew ? [...known.schemas, property] : known.schemas });
      }
    }
  }
  return [...found].map(([name, { from, to, schemas }]) => {
    const versions = versionsOf([{ from, to }]);
    return {
      name,
      in: 'query',
      schema: schemas.length === 1 ? schemas[0] : { anyOf: schemas },
      ...(Object.keys(versions).length === 0 ? {} : { 'x-openstack': versions }),
    };
  });
}

function successes(alike: readonly Operation[]): Record<string, unknown> {
  const answers = new Map<number, AnswerKeys | null>();
  for (const [code, keys] of alike.flatMap((operation) => [...operation.successes])) {
    answers.set(code, answers.has(code) ? either(answers.get(code) ?? null, keys) : keys);
  }
  return Object.fromEntries(
    [...answers].map(([code, keys]) => [
      String(code),
      { description: STATUS_TEXT[code] ?? 'Success', ...(keys === null ? {} : { content: answerContent(keys) }) },
    ]),
  );
}

/** The keys of one answer or the other. */
function either(one: AnswerKeys | null, other: AnswerKeys | null): AnswerKeys | null {
  if (one === null && other === null) return null;
  const all = [one, other].flatMap((keys) => [...(keys?.always ?? []), ...(keys?.sometimes ?? [])]);
  const always = (one?.always ?? []).filter((key) => other?.always.includes(key) === true);
  return { always, sometimes: [...new Set(all)].filter((key) => !always.includes(key)) };
}

const answerContent = ({ always, sometimes }: AnswerKeys): object => ({
  'application/json': {
    schema: {
      type: 'object',
      properties: Object.fromEntries([...always, ...sometimes].map((key) => [key, {}])),
      ...(always.length === 0 ? {} : { required: always }),
    },
  },
});
