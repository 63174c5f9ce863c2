import type { ClientOf, conductorRpc } from '@novella/contracts';
import { type Clock, type HostName, type Log, millis, type PowerState, seconds, type ServerId } from '@novella/core';

export interface PowerStatesIo {
  readonly host: HostName;
  readonly conductor: Pick<ClientOf<typeof conductorRpc>, 'power_state_changed'>;
  readonly clock: Clock;
  readonly log: Log;
}

const SHORTEST_PAUSE = seconds(1);
const LONGEST_PAUSE = seconds(30);

/**
 * Carries each guest's power state to the conductors. Of a guest whose state changes faster than it can be told only the
 * newest is kept, so what waits is bounded by the guests of the host; a broker that is away is tried again, ever slower.
 */
export class PowerStates {
  readonly #io: PowerStatesIo;
  readonly #untold = new Map<ServerId, PowerState>();
  readonly #stop = new AbortController();
  #telling: Promise<void> | null = null;

  constructor(io: PowerStatesIo) {
    this.#io = io;
  }

  changed(server: ServerId, powerState: PowerState): void {
    if (this.#stop.signal.aborted) return;
    this.#untold.delete(server);
    this.#untold.set(server, powerState);
    this.#telling ??= this.#tellAll().finally(() => (this.#telling = null));
  }

  /** What is still untold is read anew after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#telling;
  }

  async #tellAll(): Promise<void> {
    const { host, conductor, clock, log } = this.#io;
    let pause = SHORTEST_PAUSE;
    for (let next = this.#first(); next !== null; next = this.#first()) {
      const [server, powerState] = next;
      try {
        await conductor.power_state_changed({ host, server, powerState });
        if (this.#untold.get(server) === powerState) this.#untold.delete(server);
        pause = SHORTEST_PAUSE;
      } catch (error) {
        log.warn('a power state did not get through', { server, powerState, cause: error });
        await clock.sleep(pause, this.#stop.signal).catch(() => undefined);
        pause = millis(Math.min(2 * pause, LONGEST_PAUSE));
      }
    }
  }

  #first(): [ServerId, PowerState] | null {
    if (this.#stop.signal.aborted) return null;
    const [first] = this.#untold;
    return first ?? null;
  }
}
