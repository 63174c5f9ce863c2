import type { Random } from '@novella/core';
import { formatMicroversion, type Microversion } from '../../apps/nova-api/src/http/microversion.js';
import { ADMIN, STRANGER, USER } from '../../apps/nova-api/src/testing/start-nova-api.js';
import { exampleOf, type ExampleSource, NoExample, queryText } from '../api/examples.js';
import type { Found, Operation, Stretch } from '../api/operations.js';
import { type JsonSchema, requestSchema } from '../api/request-schema.js';
import { isVersioned, parametersOf, takesBody, urlOf } from '../api/routes.js';
import { Chance } from './chance.js';
import { brokenText, changedBody } from './odd-bodies.js';
import {
  CONTENT_TYPES,
  type Headers,
  METHODS,
  oddHeader,
  oddPath,
  oddQuery,
  oddSegment,
  VERSIONS,
} from './odd-requests.js';
import { SCOPES } from './keystone-tokens.js';
import { jsonText } from './odd-values.js';

/** One request, and what it was made from. */
export interface FuzzRequest {
  readonly operation: Operation;
  readonly method: string;
  /** Path and query as they stand on the wire. */
  readonly url: string;
  readonly headers: Headers;
  readonly payload: string | Buffer | undefined;
}

/** A request in the making. */
interface Draft {
  readonly operation: Operation;
  readonly stretch: Stretch;
  method: string;
  path: string;
  query: string;
  headers: Headers;
  body: unknown;
  payload: string | Buffer | undefined;
}

type Change = (draft: Draft) => void;
const CHANGES_AT_MOST = 3;

export class RequestMaker {
  private readonly chance: Chance;
  private readonly source: ExampleSource;
  private readonly versioned: readonly Operation[];

  constructor(
    private readonly found: Found,
    private readonly words: readonly string[],
    random: Random,
  ) {
    this.chance = new Chance(random);
    this.versioned = found.operations.filter(({ route }) => isVersioned(route));
    this.source = { random, words, forField: (field) => found.known.forField(field) };
  }

  /** With `values` only what is in bodies, paths and queries is odd, so that most gets through to the store. */
  make(odd: 'all' | 'values' = 'all'): FuzzRequest {
    const { chance } = this;
    const draft = this.valid();
    const changes = chance.weighed([
      [2, 0],
      [5, 1],
      [2, 2],
      [1, CHANGES_AT_MOST],
    ]);
    for (let made = 0; made < changes; made += 1) this.change(draft, odd);
    const { operation, method, path, query, headers } = draft;
    return { operation, method, url: query === '' ? path : `${path}?${query}`, headers, payload: draft.payload };
  }

  /** As right as is known, for somebody who may. */
  private valid(): Draft {
    const { chance } = this;
    const operation = chance.one(chance.yes(0.95) ? this.versioned : this.found.operations);
    const { route } = operation;
    const stretch = chance.one(operation.stretches);
    const version = (stretch.from + chance.below(stretch.to - stretch.from + 1)) as Microversion;
    const parameters = this.parameters(operation);
    const body = this.body(operation, stretch, version, parameters);
    return {
      operation,
      stretch,
      method: route.method,
      path: urlOf(route, parameters),
      query: this.query(stretch, version),
      headers: {
        'x-auth-token': chance.weighed([
          [6, ADMIN],
          [3, USER],
          [1, STRANGER],
          [0.5, chance.one(SCOPES)],
        ]),
        'openstack-api-version': `compute ${formatMicroversion(version)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body,
      payload: body === undefined ? undefined : jsonText(body),
    };
  }

  private body(
    { route, action, examples }: Operation,
    { body: type }: Stretch,
    version: Microversion,
    parameters: readonly string[],
  ): unknown {
    if (!takesBody(route)) return undefined;
    if (type === null) return action === null ? undefined : { [action]: null };
    if (examples.length > 0 && this.chance.yes(0.5)) return this.chance.one(examples).body;
    return this.example(requestSchema(type, version), parameters.at(-1));
  }

  private query({ query: type }: Stretch, version: Microversion): string {
    if (type === null || this.chance.yes(0.5)) return '';
    const values = this.example(requestSchema(type, version)) as object;
    return queryText(values);
  }

  private example(schema: JsonSchema, key?: string): unknown {
    try {
      return exampleOf(schema, { optional: 'some' }, { ...this.source, ...(key === undefined ? {} : { key }) });
    } catch (error) {
      if (error instanceof NoExample) return {};
      throw error;
    }
  }

  private parameters({ route, examples }: Operation): readonly string[] {
    if (examples.length > 0 && this.chance.yes(0.5)) return this.chance.one(examples).parameters;
    const values: string[] = [];
    for (const [index, name] of parametersOf(route).entries()) {
      const parts = route.url.split('/:').slice(0, index + 1);
      const likely = this.found.known.forParameter(urlOf({ ...route, url: parts.join('/:') }, values), name);
      values.push(this.chance.one(likely.slice(0, 6)).value);
    }
    return values;
  }

  private change(draft: Draft, odd: 'all' | 'values'): void {
    const { chance, words } = this;
    const values: (readonly [number, Change])[] = [
      [8, (it) => this.changeBody(it)],
      [3, (it) => this.changeParameter(it)],
      [4, (it) => void (it.query = [it.query, oddQuery(chance, words)].filter((part) => part !== '').join('&'))],
    ];
    const rest: (readonly [number, Change])[] = [
      [3, (it) => void (it.payload = brokenText(String(it.payload ?? '{}'), chance))],
      [2, (it) => void (it.headers['content-type'] = chance.one(CONTENT_TYPES))],
      [1, (it) => delete it.headers['content-type']],
      [1, (it) => void (it.headers['content-length'] = chance.one(['0', '1', '-1', '1e9', '99999999999', 'x', '']))],
      [1, (it) => void (it.headers['transfer-encoding'] = chance.one(['chunked', 'identity', 'gzip, chunked', 'x']))],
      [1, (it) => void (it.headers['content-encoding'] = chance.one(['gzip', 'identity', 'br', 'x', '']))],
      [3, (it) => oddHeader(it.headers, chance)],
      [3, (it) => this.changeVersion(it)],
      [2, (it) => this.changeToken(it)],
      [2, (it) => void (it.path = oddPath(it.path, chance))],
      [1, (it) => void (it.method = chance.one(METHODS))],
    ];
    chance.weighed(odd === 'all' ? [...values, ...rest] : values)(draft);
  }

  private changeBody(draft: Draft): void {
    draft.body = changedBody(draft.body ?? {}, this.chance, this.words);
    draft.payload = jsonText(draft.body);
    draft.headers['content-type'] ??= 'application/json';
  }

  private changeVersion({ headers }: Draft): void {
    const { chance } = this;
    const version = chance.yes(0.6) ? formatMicroversion((1 + chance.below(96)) as Microversion) : chance.one(VERSIONS);
    if (chance.yes(0.7)) headers['openstack-api-version'] = `compute ${version}`;
    else {
      delete headers['openstack-api-version'];
      headers['x-openstack-nova-api-version'] = version;
    }
  }

  private changeToken({ headers }: Draft): void {
    const { chance } = this;
    if (chance.yes(0.3)) delete headers['x-auth-token'];
    else {
      const tokens = [ADMIN, USER, STRANGER, '', ':', 'admin', 'x'.repeat(600), "o'x:\u00e9", `bob:${'p'.repeat(255)}`];
      headers['x-auth-token'] = chance.one(tokens);
    }
  }

  private changeParameter(draft: Draft): void {
    const parts = draft.path.split('/');
    const names = draft.operation.route.url.split('/');
    const places = names.flatMap((name, at) => (name.startsWith(':') ? [at] : []));
    const at = places.length === 0 ? parts.length - 1 : this.chance.one(places);
    parts[at] = oddSegment(this.chance, this.words);
    draft.path = parts.join('/');
  }
}
