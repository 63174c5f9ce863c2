import {
  isHostName,
  NovellaError,
  OPERATION_KINDS,
  OPERATION_STATES,
  parseOperationId,
  parseServerId,
  WAITING_FOR,
} from '@novella/core';
import type { OperationFilter, Standing } from '@novella/persistence';
import { type Command, durationOf, oneOf, type OptionValues, table, UsageError } from './command.js';
import { withStore } from './database.js';
import { nextStep, ownerOf, type Shown, standsSince } from './next-step.js';
import { listStuck } from './stuck.js';

const DEFAULT_LIMIT = 100;
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

export const operationList: Command = {
  usage: 'operation list',
  summary: 'lists operations, newest first: open ones and those of the last day; or, with --stuck, what must not be',
  options: {
    open: flag,
    state: text,
    'waiting-for': text,
    kind: text,
    server: text,
    host: text,
    'older-than': text,
    limit: text,
    stuck: flag,
  },
  async run(_args, options, env) {
    if (options['stuck'] === true) {
      if (Object.keys(options).some((name) => !['stuck', 'json'].includes(name))) {
        throw new UsageError('--stuck looks at everything, so it takes no other option');
      }
      return listStuck(env);
    }
    const filter = filterOf(options);
    const found = await withStore(env, (store) => store.standings(filter));
    const rows = found.map((operation) => [
      operation.id,
      operation.kind,
      stateOf(operation),
      sinceOf(operation) ?? '-',
      operation.serverId,
      operation.volumeId ?? '-',
      operation.hostState?.host ?? '-',
      `${operation.attempt}/${operation.failures}`,
      operation.error?.code ?? '-',
      at(operation.dueAt) ?? '-',
      ownerOf(operation) ?? '-',
    ]);
    return { text: rows.length === 0 ? 'no operations' : table(TITLES, rows), json: found.map(asJson) };
  },
};

const TITLES = [
  ...['ID', 'KIND', 'STATE', 'SINCE', 'SERVER', 'VOLUME', 'HOST'],
  ...['TRIES/FAILED', 'ERROR', 'NEXT', 'OWNER'],
];

export const operationShow: Command = {
  usage: 'operation show ID',
  summary: 'shows one operation: where it stands, what went wrong, what comes next',
  options: {},
  async run([given = ''], _options, env) {
    const id = parseOperationId(given);
    if (id === null) throw new UsageError(`${JSON.stringify(given)} is no operation's id`);
    const operation = await withStore(env, (store) => store.standing(id));
    if (operation === null) throw new NovellaError('internal', 'there is no operation of that id', { operation: id });
    return { text: describeOperation(operation), json: asJson(operation) };
  },
};

/** Everything an operator asks of an operation that does not move, a line for each. */
export function describeOperation(operation: Shown): string {
  const { error, requests = [] } = operation;
  const lines: readonly (readonly [string, string | null])[] = [
    ['operation', operation.id],
    ['kind', operation.kind],
    ['state', stateOf(operation)],
    ['since', sinceOf(operation)],
    ['step', operation.step],
    ['server', operation.serverId],
    ['volume', operation.volumeId],
    ['host', hostOf(operation)],
    ['asked by', operation.initiator],
    ...requests.map(
      ({ requestId, isFinished }) => ['request', `${requestId}${isFinished ? ', answered' : ''}`] as const,
    ),
    ['attempts', `${operation.attempt}, of which ${operation.failures} failed in a row`],
    ['created', at(operation.createdAt)],
    ['sent', at(operation.sentAt)],
    ['ended', at(operation.endedAt)],
    ['verified by', operation.verifiedBy],
    ['visible', operation.visible],
    ['error', error === null ? null : `${error.code} (${error.grade}): ${error.message}`],
    ...Object.entries(error?.facts ?? {}).map(([name, value]) => [`  ${name}`, String(value)] as const),
    ['owner', ownerOf(operation)],
    ['due', at(operation.dueAt ?? null)],
    ['next', nextStep(operation)],
  ];
  const shown = lines.filter(([, value]) => value !== null).map(([name, value]) => [`${name}:`, value ?? '']);
  const timeline = operation.timeline.map(({ at: when, state, note }) => [`  ${when}`, state, note]);
  return [columns(shown), 'timeline:', columns(timeline)].join('\n');
}

const asJson = (operation: Standing) => ({
  ...operation,
  since: standsSince(operation)?.at ?? null,
  owner: ownerOf(operation),
  next: nextStep(operation),
});

const stateOf = ({ state, waitingFor }: Shown): string => (waitingFor === null ? state : `${state} for ${waitingFor}`);

function sinceOf(operation: Shown): string | null {
  const since = standsSince(operation);
  return since === null ? null : `${since.at}${since.orLonger ? ' or longer' : ''}`;
}

function hostOf({ host, hostState }: Shown): string | null {
  if (hostState === null || hostState === undefined) return host;
  return `${hostState.host} (${hostState.forcedDown ? 'forced down' : hostState.up ? 'up' : 'down'})`;
}

const at = (time: Date | null): string | null => time?.toISOString() ?? null;

function columns(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
    )
    .join('\n');
}

function filterOf(options: OptionValues): OperationFilter {
  const given = {
    open: options['open'] === true ? true : undefined,
    state: oneOf('state', OPERATION_STATES, options['state']),
    waitingFor: oneOf('waiting-for', WAITING_FOR, options['waiting-for']),
    kind: oneOf('kind', OPERATION_KINDS, options['kind']),
    serverId: parsed('a server', parseServerId, options['server']),
    host: parsed('a host', (name) => (isHostName(name) ? name : null), options['host']),
    olderThan: durationOf('older-than', options['older-than']),
  };
  const asked = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(asked) as Partial<OperationFilter>), limit: limitOf(options['limit']) };
}

function parsed<Id extends string>(
  of: string,
  parse: (text: string) => Id | null,
  given: string | boolean | undefined,
): Id | undefined {
  if (typeof given !== 'string') return undefined;
  const id = parse(given);
  if (id === null) throw new UsageError(`${JSON.stringify(given)} does not name ${of}`);
  return id;
}

function limitOf(given: string | boolean | undefined): number {
  if (typeof given !== 'string') return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  if (limit < 1) throw new UsageError('--limit takes a number from 1 to 9999');
  return limit;
}
