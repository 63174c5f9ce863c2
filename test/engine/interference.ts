import { expect } from '@jest/globals';
import { bytes, type ErrorCode, gib, minutes, type PowerState } from '@novella/core';
import type { Outcome } from '@novella/contracts';
import { CONNECTION, HOST, SERVER, VOLUME } from '@novella/testing';
import { DATA } from './deployment.js';
import { answers, failed, goesAway } from './misfortunes.js';
import { built } from './set-up.js';
import type { SimulatedVolumes } from './simulated-volumes.js';
import { accepts, type Begin } from './story.js';
import type { World } from './world.js';

/** While the host has the first command something else happens; then the host answers as it would, or so, or not at all. */
export const meanwhile =
  (request: Begin, happens: (world: World) => Promise<unknown>, answer?: Outcome | 'never'): Begin =>
  (world) => {
    world.host.luck.push((act, reply) => {
      const outcome = act();
      void happens(world).then(() => {
        if (answer !== 'never') reply(answer ?? outcome);
      });
    });
    return request(world);
  };

/** Cinder refuses a call for good. */
export const refused =
  (call: NonNullable<SimulatedVolumes['refuse']>['call'], request: Begin): Begin =>
  (world) => {
    world.volumes.refuse = { call, code: 'cinder-refused', times: 1_000 };
    return request(world);
  };

export const always =
  (outcome: Outcome, request: Begin): Begin =>
  (world) => {
    world.host.luck.push(...Array.from({ length: 1_000 }, () => answers(outcome)));
    return request(world);
  };

export const notTold =
  (code: ErrorCode): Begin =>
  (world) => {
    world.volumes.refuse = { call: 'volume', code, times: 1 };
    return Promise.resolve();
  };

export const withSecrets =
  (setUp: Begin): Begin =>
  (world) => {
    world.volumes.secret = { auth_password: 'for the host alone' };
    return setUp(world);
  };
export const onQcow2: Begin = (world) => {
  world.volumes.connectionInfo = { ...CONNECTION, format: 'qcow2' };
  return built(world);
};

export const nothing: Begin = () => Promise.resolve();
export const build: Begin = (world) => world.acceptBuild();
export const attach = accepts((world) => world.acceptAttach());
export const detach = accepts((world) => world.acceptDetach());
export const extend: Begin = (world) => world.acceptExtend(gib(2), DATA);
export const start = accepts((world) => world.acceptPower('start'));
export const stop = accepts((world) => world.acceptPower('stop'));
export const reboot = accepts((world) => world.acceptPower('hard reboot'));
export const pause = accepts((world) => world.acceptPower('pause'));
export const unpause = accepts((world) => world.acceptPower('unpause'));
export const suspend = accepts((world) => world.acceptPower('suspend'));
export const resume = accepts((world) => world.acceptPower('resume'));
export const deletes = accepts((world) => world.acceptDelete());

/** Of a build. */
export const goesAwayAtDeadline = (world: World): void =>
  void world.clock.sleep(minutes(9.9)).then(() => goesAway(world));

/** Somebody else has saved the guest at its hypervisor; later the user resumes it. */
export async function savedByAnother(world: World): Promise<void> {
  const guest = world.host.guests.get(SERVER);
  if (guest !== undefined) guest.power = 'saved';
  await world.store.recordPowerState(HOST, SERVER, 'saved');
  void world.clock.sleep(minutes(30)).then(() => resume(world));
}

/** An operator has made sure that the host is off, and says so; later it is back, without guests. */
export async function forcedDown(world: World): Promise<void> {
  world.host.guests.clear();
  const [service] = await world.store.services('nova-compute');
  const fence = (is: boolean) => world.store.updateService(service?.id ?? '', { forcedDown: is });
  await fence(true);
  void world.clock.sleep(minutes(30)).then(async () => {
    await fence(false);
    await world.hostReports();
    await world.store.wake({ for: 'host', host: HOST });
  });
}

export const gone = { server: { deleted: true }, mappings: [], attachments: [], guests: [], devices: [] };
export const bootOnly = { mappings: [{ volumeId: VOLUME }], attachments: [{ volume: VOLUME }], detaching: [] };
/** The newest action, whatever came before it. */
export const endsWith = (result: 'Success' | 'Error'): object => {
  const event: unknown = expect.objectContaining({ result });
  const action: unknown = expect.objectContaining({ events: [event] });
  const actions: unknown = expect.arrayContaining([action]);
  return { actions };
};
export const unreadable = failed('secret-unreadable');
export const tooLittle: Outcome = { status: 'grown', hostBytes: bytes(0), guestBytes: bytes(0) };
export const powered = (powerState: PowerState): Outcome => ({ status: 'powered', powerState, disks: [] });
