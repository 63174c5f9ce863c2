import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type Log, millis, type Random } from '@novella/core';
import { type CuttingProxy, cuttingProxy, type PrivateRabbit } from '@novella/testing';
import { type AmqpLinkOptions, openAmqpLink } from '../amqp/amqp-link.js';
import type { Link } from '../link.js';
import type { LinkWorld } from './world.js';

export const systemClock: Clock = {
  monotonic: () => millis(Math.trunc(performance.now())),
  wallTime: () => new Date(),
  sleep: async (delay, signal) => {
    await sleep(delay, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  },
};

export const systemRandom: Random = { fraction: () => Math.random(), uuid: () => crypto.randomUUID() };

const silent = (): void => undefined;
export const noLog: Log = { debug: silent, info: silent, warn: silent, error: silent };

/** A link whose connections go through a proxy that can break them. */
export interface BreakableLink {
  readonly link: Link;
  readonly proxy: CuttingProxy;
}

/** `user`: name and password; the administrator unless given. */
export type BreakableLinkOptions = Partial<AmqpLinkOptions> & { readonly user?: readonly [string, string] };

export async function breakableLink(rabbit: PrivateRabbit, options: BreakableLinkOptions = {}): Promise<BreakableLink> {
  const proxy = await cuttingProxy({ port: rabbit.port });
  const { user, ...others } = options;
  const url = new URL(user === undefined ? rabbit.url : rabbit.urlOf(...user));
  url.port = String(proxy.port);
  const common = { connectionName: 'test', clock: systemClock, random: systemRandom, log: noLog };
  return { link: openAmqpLink({ ...common, urls: [url.href], ...others }), proxy };
}

/** How long a link insists on its name is twice that. */
const HEARTBEAT_S = 3;

let worlds = 0;
const run = crypto.randomUUID().slice(0, 8);

/** Cases share a broker, each with names of its own. */
export async function amqpWorld(rabbit: PrivateRabbit): Promise<LinkWorld> {
  const number = ++worlds;
  const opened: BreakableLink[] = [];
  return Promise.resolve({
    user: decodeURIComponent(new URL(rabbit.url).username),
    link: async () => {
      const breakable = await breakableLink(rabbit, { heartbeatS: HEARTBEAT_S });
      opened.push(breakable);
      await breakable.link.whenConnected();
      return breakable.link;
    },
    name: (part: string) => `${run}-${number}-${part}`,
    elapse: (ms: number) => sleep(ms),
    interrupt: async (link, meanwhile) => {
      const own = opened.find((each) => each.link === link);
      if (own === undefined) throw new Error('not a link of this world');
      const noticed = new Promise<void>((resolve) => {
        const forget = link.onState(() => {
          forget();
          resolve();
        });
      });
      own.proxy.set('cut');
      await noticed;
      await meanwhile?.();
      own.proxy.set('pass');
    },
    close: async () => {
      for (const { link, proxy } of opened) {
        await link.close();
        await proxy.close();
      }
    },
  });
}
