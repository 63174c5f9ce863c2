import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gib, seconds } from '@novella/core';
import { HostKey } from '@novella/sealing';
import { CONNECTION, SERVER, temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import { DATA } from './deployment.js';
import { built } from './set-up.js';
import { accepts } from './story.js';
import { World } from './world.js';

const CHAP = { auth_password: 'chap-of-volume' };
const folders: TemporaryDirectory[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await folder.remove();
});

async function newKey(): Promise<HostKey> {
  const folder = await temporaryDirectory();
  folders.push(folder);
  return HostKey.open(folder.path);
}

/** The host has this key from now on, and its reports say so. */
async function hasKey(world: World, key: HostKey): Promise<void> {
  world.host.unseal = (sealed, boundTo) => key.unseal(sealed, boundTo);
  await world.hostReports({ publicKey: key.publicKey });
}

let world: World;
beforeEach(async () => {
  world = await World.with(1);
  world.volumes.secret = CHAP;
  await hasKey(world, await newKey());
});

const sealed = async () =>
  ((await world.store.blockDeviceMappings([SERVER])).get(SERVER) ?? []).map(({ sealedSecret }) => sealedSecret);

async function withTwoVolumes(): Promise<void> {
  await world.acceptBuild();
  await world.settle();
  await world.acceptAttach();
  await world.settle();
}

describe('what Cinder says for the host alone', () => {
  it('is stored so that only the host can read it, and the host does', async () => {
    await withTwoVolumes();
    expect(await world.snapshot()).toMatchObject({ open: [], mappings: [{ attached: true }, { attached: true }] });
    expect(await sealed()).toEqual([expect.stringMatching(/^[A-Za-z0-9+/=]+$/), expect.any(String)]);
    expect(JSON.stringify(await world.store.blockDeviceMappings([SERVER]))).not.toContain(CHAP.auth_password);
  });

  it('is asked for again, and nothing else of Cinder, when a server is rebooted on a host with a new key', async () => {
    await withTwoVolumes();
    const before = await sealed();
    const connects = world.volumes.connects.length;
    await hasKey(world, await newKey());
    await world.acceptPower('hard reboot');
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], server: { vmState: 'active' }, wrongs: [] });
    const after = await sealed();
    expect(after.every((box, at) => box !== null && box !== before[at])).toBe(true);
    // To tell Cinder the connector anew would make the volumes `attaching`.
    expect(world.volumes.connects).toHaveLength(connects);
  });

  it.each([
    ['build', () => Promise.resolve(), (same: World) => same.acceptBuild()],
    ['attach', built, accepts((same: World) => same.acceptAttach())],
  ] as const)('is asked for again when the key changes while the command lies in the queue: %s', async (...story) => {
    const [, before, request] = story;
    await before(world);
    await request(world);
    world.host.delays.push(seconds(10));
    const key = await newKey();
    await Promise.all([world.settle(), world.clock.sleep(seconds(5)).then(() => hasKey(world, key))]);
    const { open, mappings } = await world.snapshot();
    expect({ open, attached: mappings.every(({ attached }) => attached) }).toEqual({ open: [], attached: true });
    expect(world.host.taken).toHaveLength(2);
  });

  it('is asked for again for an extend', async () => {
    await withTwoVolumes();
    await hasKey(world, await newKey());
    world.host.fails = { method: 'extend_volume', code: 'secret-unreadable', times: 1 };
    const before = await sealed();
    await world.acceptExtend(gib(2), DATA);
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], mappings: [{}, { size: 2 }] });
    expect((await sealed())[1]).not.toBe(before[1]);
  });

  it('ends an attach, with nothing left behind, when the host can never read it', async () => {
    await built(world);
    world.host.unseal = () => {
      throw new Error('not for this key');
    };
    await world.acceptAttach();
    await world.settle();
    const { open, mappings, attachments, actions } = await world.snapshot();
    expect({ open, mappings: mappings.length, attachments: attachments.length }).toEqual({
      open: [],
      mappings: 1,
      attachments: 1,
    });
    expect(actions[0]?.events?.[0]?.details).toMatch(/^secret-unreadable/);
  });

  it('opens an encrypted volume together with the rest, and lies sealed like that', async () => {
    world.volumes.connectionInfo = { ...CONNECTION, encrypted: true };
    world.volumes.passphrase = { luks_passphrase: 'ab12-of-volume' };
    const opened: unknown[] = [];
    const { unseal } = world.host;
    world.host.unseal = (box, boundTo) => opened.push(unseal?.(box, boundTo));
    await withTwoVolumes();
    expect(opened[0]).toEqual({ ...CHAP, luks_passphrase: 'ab12-of-volume' });
    const mappings = await world.store.blockDeviceMappings([SERVER]);
    expect([...mappings.values()].flat()).toMatchObject([{ connection: { encrypted: true } }, {}]);
    expect(JSON.stringify([...mappings])).not.toContain('ab12-of-volume');
  });

  it('has no pass phrase for a volume that the storage decrypts, which is like any other for the host', async () => {
    world.volumes.connectionInfo = { ...CONNECTION, encrypted: true };
    await withTwoVolumes();
    const mappings = await world.store.blockDeviceMappings([SERVER]);
    expect([...mappings.values()].flat()).toMatchObject([{ connection: { encrypted: false } }, {}]);
  });

  it('ends a build whose volume cannot be opened, with the reason and nothing left behind', async () => {
    world.volumes.connectionInfo = { ...CONNECTION, encrypted: true };
    world.volumes.refuse = { call: 'encryption', code: 'key-manager-unsupported', times: 1 };
    await world.acceptBuild();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], server: { vmState: 'error' }, attachments: [] });
  });

  it('ends a build on a host that has no key, with the reason', async () => {
    await world.acceptBuild();
    await world.hostReports({ publicKey: null });
    await world.settle();
    expect(await world.snapshot()).toMatchObject({
      open: [],
      server: {
        vmState: 'error',
        fault: 'the host has reported no key that the secret of the volume could be sealed to',
      },
      attachments: [],
    });
  });
});
