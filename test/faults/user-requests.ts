import { waitUntil } from '@novella/testing';
import { startAll } from './a-few-at-a-time.js';
import type { CinderCall } from './cinder-calls.js';
import { type AnswerShape, CINDER_FAULTS, type FaultRow } from './cinder-faults.js';
import type { Region } from './region.js';
import { type Answer, type AtCinder, nameOf, User } from './user.js';

/** A user's request for which nova-api itself asks Cinder, with the user's token. */
interface Request {
  readonly name: string;
  readonly call: CinderCall;
  readonly answer: AnswerShape;
  /** Brings volumes, the first of which the fault is about, to where the request can be made. */
  prepare(user: User, server: string): Promise<readonly string[]>;
  ask(region: Region, user: User, server: string, volumes: readonly string[]): Promise<Answer>;
  /** What the volume is at Cinder when all is over. */
  readonly leaves: 'available' | 'in-use';
  /** The answer at a volume that Cinder has not; 404 unless given. */
  readonly gone?: 400;
  /** The answer whatever the fault is, when another call has decided it. */
  readonly status?: 400;
}

const attach: Request['ask'] = (_region, user, server, [volume = '']) => user.attach(server, volume);
const create: Request['ask'] = (_region, user, _server, [volume = '']) => user.requestServer(volume);

const REQUESTS: readonly Request[] = [
  {
    name: 'an attach reads the volume',
    ...{ call: 'getVolume', answer: 'volume', leaves: 'available' },
    prepare: async (user) => [await user.volume()],
    ask: attach,
  },
  {
    name: 'an attach reserves the volume',
    ...{ call: 'createAttachment', answer: 'attachment', leaves: 'available' },
    prepare: async (user) => [await user.volume()],
    ask: attach,
  },
  {
    name: 'a detach reads the volume',
    ...{ call: 'getVolume', answer: 'volume', leaves: 'in-use' },
    prepare: async (user, server) => [await user.attached(server, await user.volume())],
    ask: (_region, user, server, [volume = '']) => user.detach(server, volume),
  },
  {
    name: 'a create reads the volume',
    ...{ call: 'getVolume', answer: 'volume', leaves: 'available', gone: 400 },
    prepare: async (user) => [await user.bootableVolume()],
    ask: create,
  },
  {
    name: 'a create reserves the volume',
    ...{ call: 'createAttachment', answer: 'attachment', leaves: 'available', gone: 400 },
    prepare: async (user) => [await user.bootableVolume()],
    ask: create,
  },
  {
    name: 'a create lets a volume go, as the next was refused',
    ...{ call: 'deleteAttachment', answer: 'attachments', leaves: 'available', status: 400 },
    prepare: async (user) => [await user.bootableVolume(), await user.volume()],
    async ask({ cinder }, user, _server, [volume = '', next = '']) {
      const refusal = CINDER_FAULTS.find(({ meaning }) => meaning === 'refused');
      if (refusal === undefined) throw new Error('the table of faults has no refusal');
      const rule = { by: 'user', call: 'createAttachment', volume: next, fault: refusal.fault } as const;
      const held = cinder.hold(rule);
      const answer = await user.requestServer(volume, { secondVolume: next });
      held.end();
      return answer;
    },
  },
];

export interface RequestCell {
  readonly request: Request;
  readonly row: FaultRow;
  readonly name: string;
}

/** Each request with each fault; that no host can use a connection is not nova-api's to see. */
export const REQUEST_CELLS: readonly RequestCell[] = REQUESTS.flatMap((request) =>
  CINDER_FAULTS.filter(({ only, meaning }) => {
    return meaning !== 'unusable' && (only === undefined || only.includes(request.answer));
  }).map((row) => ({ request, row, name: `${request.name}, and Cinder ${row.name}` })),
);

/** What the user is answered: code and the key of the body. */
export function faultFor({ request, row }: RequestCell): readonly [number, string] {
  if (request.status !== undefined) return [request.status, 'badRequest'];
  switch (row.code) {
    case 'cinder-unreachable':
      return [503, 'serviceUnavailable'];
    case 'cinder-answer-invalid':
      return [500, 'computeFault'];
    case 'cinder-unauthorized':
      return [403, 'forbidden'];
    case 'cinder-refused':
      return [400, 'badRequest'];
    case 'volume-not-found':
      return request.gone === 400 ? [400, 'badRequest'] : [404, 'itemNotFound'];
    default:
      throw new Error(`no answer is written down for ${row.code}`);
  }
}

/** What was seen of a cell, when all is over. */
export interface RequestSeen {
  readonly met: number;
  readonly answer: Answer;
  /** Rows that say that a server has one of the volumes. */
  readonly mappings: number;
  /** States of the servers that the request made: `vm_state task_state`. */
  readonly servers: readonly string[];
  readonly atCinder: readonly (AtCinder | null)[];
}

const AT_ONCE = 32;

export class RequestRunner {
  private readonly results: ReadonlyMap<RequestCell, Promise<RequestSeen>>;
  private readonly user: User;
  private readonly servers = new Map<Request, Promise<string>>();

  constructor(private readonly region: Region) {
    this.user = new User(region);
    this.results = startAll(REQUEST_CELLS, AT_ONCE, (cell) => this.run(cell));
  }

  seen(cell: RequestCell): Promise<RequestSeen> {
    return this.results.get(cell) ?? Promise.reject(new Error('no such cell'));
  }

  private async run({ request, row, name }: RequestCell): Promise<RequestSeen> {
    const { region, user } = this;
    const server = await this.serverFor(request);
    const volumes = await request.prepare(user, server);
    const [volume = ''] = volumes;
    const held = region.cinder.hold({ by: 'user', call: request.call, volume, fault: row.fault });
    const answer = await request.ask(region, user, server, volumes);
    held.end();
    const isOver = async () => (await this.open(volumes)) === 0 && (await this.isLetGo(request, volume));
    await waitUntil(isOver, { what: `${name}: to be over`, every: 250, timeout: 60_000 });
    return {
      met: held.met,
      answer,
      mappings: await this.count(
        'select count(*)::int from block_device_mapping where volume_id = any($1::uuid[])',
        volumes,
      ),
      servers: await this.serversFrom(volume),
      atCinder: await Promise.all(volumes.map((id) => user.atCinder(id))),
    };
  }

  private async isLetGo({ leaves }: Request, volume: string): Promise<boolean> {
    return (await this.user.atCinder(volume))?.status === leaves;
  }

  /** What the request has begun and nobody has ended. */
  private open(volumes: readonly string[]): Promise<number> {
    const text = `select count(*)::int from operation o where ended_at is null and (volume_id = any($1::uuid[])
      or exists (select from block_device_mapping m where m.server_id = o.server_id and m.volume_id = any($1::uuid[])))`;
    return this.count(text, volumes);
  }

  private async count(text: string, volumes: readonly string[]): Promise<number> {
    return (await this.region.query<{ count: number }>(text, [volumes]))[0]?.count ?? -1;
  }

  private async serversFrom(bootVolume: string): Promise<string[]> {
    const text = `select concat_ws(' ', vm_state, task_state) as state from instance where name = $1 and deleted_at is null`;
    const rows = await this.region.query<{ state: string }>(text, [nameOf(bootVolume)]);
    return rows.map(({ state }) => state);
  }

  private serverFor(request: Request): Promise<string> {
    const server = this.servers.get(request) ?? this.user.server();
    this.servers.set(request, server);
    return server;
  }
}
