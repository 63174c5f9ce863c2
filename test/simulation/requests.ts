import { type Bytes, gibToBytes, millis, type RequestId, seconds, type ServerId, type VolumeId } from '@novella/core';
import type { Api } from './api-process.js';
import { bytesOf } from './cinder.js';
import type { AskedFor } from './watch.js';
import type { World } from './world.js';

const WEIGHTS = {
  extend: 50,
  'extend again': 5,
  'extend what is not there': 2,
  attach: 10,
  detach: 10,
  stop: 6,
  start: 7,
  'soft-reboot': 4,
  'hard-reboot': 4,
  pause: 3,
  unpause: 4,
  suspend: 4,
  resume: 5,
  delete: 3,
  build: 5,
} as const;

/** Users and Cinder ask for `count` things at moments within `span` seconds. */
export async function askAtRandom(world: World, count: number, span: number): Promise<void> {
  const chance = world.chance.of('requests');
  const moments = Array.from({ length: count }, () => chance.fraction() * span * 1_000).sort((a, b) => a - b);
  for (const moment of moments) {
    const wait = millis(Math.max(0, Math.round(moment - world.clock.monotonic())));
    if (wait > 0) await world.clock.sleep(wait);
    await askOne(world, chance.weighted(WEIGHTS));
  }
}

async function askOne(world: World, what: keyof typeof WEIGHTS): Promise<void> {
  const chance = world.chance.of(`request ${world.asked.length} ${world.clock.monotonic()}`);
  const { api } = world;
  if (api === null) return;
  switch (what) {
    case 'extend':
      return extend(world, api, chance.is(0.25) ? chance.whole(2, 3) : 1);
    case 'extend again':
    case 'extend what is not there': {
      const volume = chance.pick([...world.cinder.volumes.keys()]);
      const server = chance.pick([...world.servers]);
      return post(world, api, [{ server, volume, wanted: null }]);
    }
    case 'attach': {
      const free = [...world.cinder.volumes.values()].filter((one) => world.cinder.statusOf(one) === 'available');
      if (free.length === 0) return;
      const [server, volume] = [chance.pick([...world.servers]), chance.pick(free).id];
      return ask(world, { what, server, volume }, (request) => api.attach(server, volume, request));
    }
    case 'detach': {
      const attached = [...world.cinder.attachments.values()];
      if (attached.length === 0) return;
      const { server, volume } = chance.pick(attached);
      return ask(world, { what, server, volume }, (request) => api.detach(server, volume, request));
    }
    case 'stop':
    case 'start':
    case 'soft-reboot':
    case 'hard-reboot':
    case 'pause':
    case 'unpause':
    case 'suspend':
    case 'resume': {
      const server = chance.pick([...world.servers]);
      return ask(world, { what, server, volume: null }, (request) => api.power(server, what, request));
    }
    case 'delete': {
      const server = chance.pick([...world.servers]);
      return ask(world, { what, server, volume: null }, (request) => api.deleteServer(server, request));
    }
    case 'build': {
      const volumes = [world.cinder.make('raw').id, world.cinder.make(chance.pick(['raw', 'qcow2'])).id];
      api.build(volumes, requestId(world)).then(
        (server) => {
          world.trace.say('user', `built ${server.slice(0, 4)} is accepted`);
          world.servers.add(server);
        },
        () => undefined,
      );
      return;
    }
  }
}

/** Users let go on what is suspended: a volume that comes or goes waits for that. */
export async function resumeAll(world: World): Promise<void> {
  const { api } = world;
  for (const server of world.servers) {
    const instance = await world.store.instance(server);
    if (api === null || instance?.vmState !== 'suspended' || instance.taskState !== null) continue;
    await ask(world, { what: 'resume', server, volume: null }, (request) => api.power(server, 'resume', request));
  }
}

/** Cinder has grown volumes of servers and tells, perhaps of several in one POST. */
async function extend(world: World, api: Api, count: number): Promise<void> {
  const chance = world.chance.of(`extend ${world.asked.length} ${world.clock.monotonic()}`);
  const attached = [...world.cinder.attachments.values()].filter(({ state }) => state === 'attached');
  const events = new Map<VolumeId, { server: ServerId; volume: VolumeId; wanted: Bytes }>();
  for (let n = 0; n < count && attached.length > 0; n += 1) {
    const { server, volume } = chance.pick(attached);
    const seenAfter = chance.is(0.1) ? chance.timeOfAnyOrder(millis(100), seconds(20)) : millis(0);
    const size = events.has(volume) ? null : world.cinder.grow(volume, chance.whole(1, 3), seenAfter);
    if (size !== null) events.set(volume, { server, volume, wanted: bytesOf(size) });
  }
  if (events.size > 0) await post(world, api, [...events.values()]);
}

type Event = { server: ServerId; volume: VolumeId; wanted: Bytes | null };

async function post(world: World, api: Api, events: readonly Event[]): Promise<void> {
  const request = requestId(world);
  // Two events of one server in one POST: the second has a request id of its own, which the client cannot know.
  const asked = events.map(({ server, volume, wanted }, index): AskedFor => {
    const first = events.findIndex((other) => other.server === server) === index;
    return {
      what: 'extend',
      server,
      volume,
      requestId: (first ? request : `of ${request}`) as RequestId,
      wanted,
      accepted: false,
      ended: false,
    };
  });
  world.asked.push(...asked);
  for (const { server, volume, wanted } of events) {
    world.trace.say(
      'cinder',
      `extended ${volume.slice(0, 4)} of ${server.slice(0, 4)} to ${inGib(wanted)} ${request.slice(-4)}`,
    );
  }
  let answered = false;
  api.extended(events, request).then(
    (codes) => {
      answered = true;
      world.trace.say('cinder', `answered ${codes.join(' ')} ${request.slice(-4)}`);
      codes.forEach((code, index) => {
        if (code === 200) asked[index]!.accepted = true;
        else giveUp(world, asked[index]!);
      });
    },
    (error: unknown) => {
      answered = true;
      world.trace.say('cinder', `refused ${String(error)} ${request.slice(-4)}`);
      for (const one of asked) giveUp(world, one);
    },
  );
  await Promise.resolve();
  void world.clock.sleep(seconds(60)).then(() => {
    if (!answered) for (const one of asked) giveUp(world, one);
  });
}

/** Cinder was not told that its event is taken: a growth that it had left to the host it ends itself. */
function giveUp({ cinder }: World, asked: AskedFor): void {
  const growing = asked.volume === null ? undefined : cinder.volumes.get(asked.volume);
  if (growing === undefined || growing.extendingTo === null) return;
  if (gibToBytes(growing.extendingTo) !== asked.wanted) return;
  asked.wanted = null;
  cinder.giveUpGrowing(growing.id);
}

async function ask(
  world: World,
  what: Pick<AskedFor, 'what' | 'server' | 'volume'>,
  run: (request: RequestId) => Promise<void>,
): Promise<void> {
  const asked: AskedFor = { ...what, requestId: requestId(world), wanted: null, accepted: false, ended: false };
  const named = `${what.what} ${what.volume?.slice(0, 4) ?? ''} of ${what.server.slice(0, 4)} ${asked.requestId.slice(-4)}`;
  world.asked.push(asked);
  world.trace.say('user', `asks ${named}`);
  run(asked.requestId).then(
    () => {
      asked.accepted = true;
      world.trace.say('user', `is told yes: ${named}`);
    },
    (error: unknown) => world.trace.say('user', `is told no: ${named}: ${String(error)}`),
  );
  await Promise.resolve();
}

const requestId = (world: World): RequestId => `req-${world.ids.uuid()}` as RequestId;

const inGib = (size: Bytes | null): string => (size === null ? '?' : `${size / 2 ** 30} GiB`);
