import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PowerStateChanged } from '@novella/contracts';
import { minutes, type PowerState, seconds, type ServerId } from '@novella/core';
import { type VirtualClock, virtualClock } from '@novella/testing';
import { PowerStates } from './power-states.js';
import { broken, HOST, OTHER_SERVER, quietLog, SERVER } from './testing/test-host.js';

describe('power states that are told again', () => {
  let clock: VirtualClock;
  let told: [ServerId, string][];
  let guests: { server: ServerId; powerState: PowerState }[];
  let looks: Error[];
  let states: PowerStates;

  beforeEach(() => {
    clock = virtualClock();
    told = [];
    guests = [];
    looks = [];
    states = new PowerStates({
      host: HOST,
      clock,
      log: quietLog,
      conductor: {
        power_state_changed: ({ server, powerState }: PowerStateChanged) => {
          told.push([server, powerState]);
          return Promise.resolve();
        },
      },
    });
  });
  afterEach(() => states.stop());

  const look = () => {
    const fault = looks.shift();
    return fault === undefined ? Promise.resolve(guests) : Promise.reject(fault);
  };

  it('are told once more after a while, as two conductors may have recorded two of them the other way round', async () => {
    states.changed(SERVER, 'shutdown');
    await clock.advance(seconds(1));
    states.changed(SERVER, 'running');
    await clock.advance(seconds(30));
    expect(told).toEqual([
      [SERVER, 'shutdown'],
      [SERVER, 'running'],
      [SERVER, 'running'],
    ]);
  });

  it('are read anew from all guests at the start and every ten minutes', async () => {
    guests = [{ server: SERVER, powerState: 'running' }];
    states.start(look);
    await clock.advance(minutes(1));
    expect(new Set(told.splice(0).map(String))).toEqual(new Set([`${SERVER},running`]));
    guests = [{ server: OTHER_SERVER, powerState: 'paused' }];
    await clock.advance(minutes(10));
    expect(new Set(told.map(String))).toEqual(new Set([`${OTHER_SERVER},paused`]));
  });

  it('are read soon again when the hypervisor does not answer', async () => {
    guests = [{ server: SERVER, powerState: 'running' }];
    looks = [broken(), broken()];
    states.start(look);
    await clock.advance(minutes(2));
    expect(told).toContainEqual([SERVER, 'running']);
  });
});
