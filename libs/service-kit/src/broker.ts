import { type Clock, millis, NovellaError } from '@novella/core';

/** How a link to the broker stands. */
export interface BrokerStanding {
  readonly state: 'connected' | 'disconnected' | 'closed';
  /** Why the broker takes no messages at this moment, in its own words; null when it does. */
  readonly blocked: string | null;
}

/** What is wrong with it, for people; null when nothing is. */
export function brokerTrouble({ state, blocked }: BrokerStanding): string | null {
  if (state !== 'connected') return `broker-unreachable: the link is ${state}`;
  return blocked === null ? null : `the broker takes no messages: ${blocked}`;
}

/** What a link to the broker does for a name. */
export interface NameLink {
  declare(topology: {
    readonly exchanges: readonly [];
    readonly queues: readonly {
      readonly name: string;
      readonly durable: false;
      readonly autoDelete: false;
      readonly exclusive: true;
      readonly arguments: Readonly<Record<string, never>>;
      readonly bindings: readonly [];
    }[];
  }): Promise<void>;
  onNameLost(listener: (queue: string) => void): void;
}

/**
 * After a kill -9 or a cut wire the broker still holds the name for the dead process for a moment; who is alive keeps it
 * for longer than this.
 */
const PATIENCE = millis(2_000);
const PAUSE = millis(200);

/**
 * Takes `<topic>.<name>.lock`, an exclusive queue that goes with this process' connection, so that no two processes of
 * one name work at a time; waits for a broker that is away. `onLost` is called when another has the name after the
 * connection was lost: the process must then do nothing more in that name.
 * Errors: host-name-taken; the signal's reason.
 */
export async function holdName(
  link: NameLink,
  { topic, name }: { readonly topic: string; readonly name: string },
  io: { readonly clock: Clock; readonly signal: AbortSignal; readonly onLost: () => void },
): Promise<void> {
  const { clock, signal } = io;
  const queue = `${topic}.${name}.lock`;
  link.onNameLost((lost) => {
    if (lost === queue) io.onLost();
  });
  const shape = { durable: false, autoDelete: false, exclusive: true, arguments: {}, bindings: [] } as const;
  let refusedAt: number | null = null;
  for (;;) {
    try {
      await unlessAborted(link.declare({ exchanges: [], queues: [{ name: queue, ...shape }] }), signal);
      return;
    } catch (error) {
      if (!(error instanceof NovellaError) || error.code !== 'host-name-taken') throw error;
      refusedAt ??= clock.monotonic();
      if (clock.monotonic() - refusedAt < PATIENCE) {
        await clock.sleep(PAUSE, signal);
        continue;
      }
      const message = `another ${topic} of the name ${name} is at work; each needs a name of its own`;
      throw new NovellaError('host-name-taken', message, { topic, name }, { cause: error });
    }
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let forget: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop);
    forget = () => signal.removeEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    forget();
  }
}
