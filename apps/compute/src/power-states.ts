import type { ClientOf, conductorRpc } from '@novella/contracts';
import {
  type Clock,
  type HostName,
  type Log,
  millis,
  minutes,
  type PowerState,
  seconds,
  type ServerId,
} from '@novella/core';
import type { Guest } from '@novella/virt';

export interface PowerStatesIo {
  readonly host: HostName;
  readonly conductor: Pick<ClientOf<typeof conductorRpc>, 'power_state_changed'>;
  readonly clock: Clock;
  readonly log: Log;
}

const SHORTEST_PAUSE = seconds(1);
const LONGEST_PAUSE = seconds(30);
const AGAIN_AFTER = seconds(10);
/** nova:nova/conf/compute.py sync_power_state_interval */
const ALL_AGAIN_EVERY = minutes(10);
const NEXT_LOOK = seconds(30);

/**
 * Carries each guest's power state to the conductors. Of a guest whose state changes faster than it can be told only the
 * newest is kept, so what waits is bounded by the guests of the host; a broker that is away is tried again, ever slower.
 * Two conductors that take two states of one guest may record them the other way round, and a slow one records late: so
 * the last one is told once more after a while, and all are read and told anew from time to time.
 */
export class PowerStates {
  readonly #io: PowerStatesIo;
  readonly #untold = new Map<ServerId, PowerState>();
  /** What is told once more when its time has come, unless it has changed by then. */
  readonly #again = new Map<ServerId, PowerState>();
  readonly #stop = new AbortController();
  #telling: Promise<void> | null = null;

  constructor(io: PowerStatesIo) {
    this.#io = io;
  }

  /** Tells the states of all guests, now and from time to time: while nobody looked they may have ended or begun. */
  start(guests: () => Promise<readonly Pick<Guest, 'server' | 'powerState'>[]>): void {
    void this.#lookForEver(guests);
  }

  changed(server: ServerId, powerState: PowerState): void {
    this.#again.set(server, powerState);
    void this.#tellAgain(server, powerState);
    this.#tell(server, powerState);
  }

  #tell(server: ServerId, powerState: PowerState): void {
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

  async #tellAgain(server: ServerId, powerState: PowerState): Promise<void> {
    const { clock } = this.#io;
    await clock.sleep(AGAIN_AFTER, this.#stop.signal).catch(() => undefined);
    if (this.#again.get(server) !== powerState) return;
    this.#again.delete(server);
    this.#tell(server, powerState);
  }

  async #lookForEver(guests: Parameters<PowerStates['start']>[0]): Promise<void> {
    const { clock, log } = this.#io;
    while (!this.#stop.signal.aborted) {
      let pause = ALL_AGAIN_EVERY;
      try {
        for (const { server, powerState } of await guests()) this.#tell(server, powerState);
      } catch (error) {
        log.warn('the power states of the guests cannot be read', { error });
        pause = NEXT_LOOK;
      }
      await clock.sleep(pause, this.#stop.signal).catch(() => undefined);
    }
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
