import { assertNever, NovellaError, parseOperationId, parseServerId, type WaitingFor } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { type Command, table, UsageError } from './command.js';
import { withStore } from './database.js';

const DEFAULT_LIMIT = 100;

export const operationList: Command = {
  usage: 'operation list',
  summary: 'lists operations, newest first: open ones and those of the last day; --open, --server ID, --limit N',
  options: { open: { type: 'boolean' }, server: { type: 'string' }, limit: { type: 'string' } },
  async run(_args, options, env) {
    const limit = limitOf(options['limit']);
    const filter = { ...serverFilter(options['server']), ...(options['open'] === true ? { open: true } : {}), limit };
    const found = await withStore(env, (store) => store.operations(filter));
    const rows = found.map((operation) => [
      operation.id,
      operation.kind,
      stateOf(operation),
      operation.serverId,
      operation.volumeId ?? '-',
      operation.host ?? '-',
      String(operation.attempt),
      operation.createdAt.toISOString(),
      operation.error?.code ?? '-',
    ]);
    const titles = ['ID', 'KIND', 'STATE', 'SERVER', 'VOLUME', 'HOST', 'ATTEMPT', 'CREATED', 'ERROR'];
    return { text: rows.length === 0 ? 'no operations' : table(titles, rows), json: found };
  },
};

export const operationShow: Command = {
  usage: 'operation show ID',
  summary: 'shows one operation: where it stands, what went wrong, what comes next',
  options: {},
  async run([given = ''], _options, env) {
    const id = parseOperationId(given);
    if (id === null) throw new UsageError(`${JSON.stringify(given)} is no operation's id`);
    const operation = await withStore(env, (store) => store.operation(id));
    if (operation === null) throw new NovellaError('internal', 'there is no operation of that id', { operation: id });
    return { text: describeOperation(operation), json: { ...operation, next: nextStep(operation) } };
  },
};

/** Everything an operator asks of an operation that does not move, a line for each. */
export function describeOperation(operation: Operation): string {
  const { error } = operation;
  const lines: readonly (readonly [string, string | null])[] = [
    ['operation', operation.id],
    ['kind', operation.kind],
    ['state', stateOf(operation)],
    ['step', operation.step],
    ['server', operation.serverId],
    ['volume', operation.volumeId],
    ['host', operation.host],
    ['asked by', operation.initiator],
    ['attempts', `${operation.attempt}, of which ${operation.failures} failed in a row`],
    ['created', operation.createdAt.toISOString()],
    ['sent', at(operation.sentAt)],
    ['ended', at(operation.endedAt)],
    ['verified by', operation.verifiedBy],
    ['visible', operation.visible],
    ['error', error === null ? null : `${error.code} (${error.grade}): ${error.message}`],
    ...Object.entries(error?.facts ?? {}).map(([name, value]) => [`  ${name}`, String(value)] as const),
    ['next', nextStep(operation)],
  ];
  const shown = lines.filter(([, value]) => value !== null).map(([name, value]) => [`${name}:`, value ?? '']);
  const timeline = operation.timeline.map(({ at: when, state, note }) => [`  ${when}`, state, note]);
  return [columns(shown), 'timeline:', columns(timeline)].join('\n');
}

/** What has to happen for it to go on, in a sentence. */
export function nextStep(operation: Operation): string {
  const { state, waitingFor, nextAt, deadline, host } = operation;
  const again = nextAt === null ? '' : `, looked at again at ${nextAt.toISOString()}`;
  switch (state) {
    case 'queued':
      return 'a conductor takes it up';
    case 'dispatched':
      return `host ${host ?? '?'} answers, or is asked what it did${deadline === null ? '' : ` after ${deadline.toISOString()}`}`;
    case 'waiting':
      return `${waitingFor === null ? 'its time comes' : WAKES[waitingFor]}${again}`;
    case 'succeeded':
    case 'failed':
      return 'nothing: it has ended';
    default:
      return assertNever(state);
  }
}

const WAKES = {
  api: 'nova-api confirms what it reserved at Cinder',
  host: 'its host comes up',
  'server-task': 'what the server is doing ends',
  migration: 'the migration or block job of its guest ends',
  paths: 'the missing paths of the volume are back',
  cinder: 'Cinder answers again',
  'guest-start': 'the guest is started',
  retry: 'it is tried again',
} as const satisfies Record<WaitingFor, string>;

const stateOf = ({ state, waitingFor }: Operation): string =>
  waitingFor === null ? state : `${state} for ${waitingFor}`;

const at = (time: Date | null): string | null => time?.toISOString() ?? null;

function columns(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
    )
    .join('\n');
}

function serverFilter(given: string | boolean | undefined) {
  if (typeof given !== 'string') return {};
  const serverId = parseServerId(given);
  if (serverId === null) throw new UsageError(`${JSON.stringify(given)} is no server's id`);
  return { serverId };
}

function limitOf(given: string | boolean | undefined): number {
  if (typeof given !== 'string') return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  if (limit < 1) throw new UsageError('--limit takes a number from 1 to 9999');
  return limit;
}
