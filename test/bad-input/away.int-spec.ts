import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitUntil } from '@novella/testing';
import { faultKey, Novella } from './novella.js';

/** What users and Cinder get while somebody is away, and that what was accepted is carried out afterwards. */
const IMAGE = '11111111-2222-4333-8444-555555555555';
const LONG = 120_000;

describe('while Cinder is away', () => {
  let novella: Novella;
  let server: string;
  beforeAll(async () => {
    novella = await Novella.start();
    await novella.image(IMAGE, {}, 'x');
    server = await novella.server(IMAGE);
  }, LONG);
  afterAll(() => novella.close());

  it('an attach and a create with a volume are 503, and nothing is written', async () => {
    const volume = await novella.volume();
    await novella.stopCinder();
    const before = await novella.rows();
    const device = { source_type: 'volume', destination_type: 'volume', uuid: volume, boot_index: 0 };
    const answers = [
      await novella.attach(server, volume),
      await novella.requestServer({ block_device_mapping_v2: [device] }),
    ];
    const after = await novella.rows();
    await novella.startCinder();
    expect(answers.map((answer) => [answer.status, faultKey(answer)])).toEqual([
      [503, 'serviceUnavailable'],
      [503, 'serviceUnavailable'],
    ]);
    expect(after).toEqual(before);
    expect([await novella.volumeStatus(volume), await novella.attachmentsAtCinder(volume)]).toEqual(['available', []]);
    expect((await novella.attach(server, volume)).status).toBe(200);
    await novella.untilVolume(volume, 'in-use');
  });

  it(
    'an event is accepted, waits, and is carried out when Cinder is back (rule 3.1c)',
    async () => {
      const volume = await novella.attachedVolume(server);
      await novella.stopCinder();
      await novella.startCinder({ mute: true });
      await novella.cinder('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 3 } });
      await waitUntil(async () => (await novella.cinder('GET', `/volumes/${volume}`)).json.volume.size === 3);
      await novella.stopCinder();

      const { status, json } = await novella.postEvents([novella.event(server, volume)]);
      expect([status, json.events.map(({ code }) => code)]).toEqual([200, [200]]);
      const waits = async () => (await novella.rows())['operation']?.some((row) => /extend.*waiting,cinder/.test(row));
      await waitUntil(waits, { what: 'the extend to wait for Cinder' });
      const [open] = await novella.actions(server, 'extend_volume');
      expect(open?.message).toMatch(/^Waiting for the volume service: .*\(cinder-unreachable\)$/);
      expect(open?.events.filter(({ finish_time }) => finish_time !== null)).toEqual([]);

      await novella.startCinder();
      expect((await novella.endedAction(server, 'extend_volume', LONG)).result).toBe('Success');
      expect(await novella.guestBytes(server, volume)).toBe(3 * 2 ** 30);
    },
    LONG,
  );

  it(
    'an attach that is on the host is completed when Cinder is back',
    async () => {
      const volume = await novella.volume();
      const held = novella.virt.hangNext('attachDisk', 'after');
      expect((await novella.attach(server, volume)).status).toBe(200);
      await held.reached;
      await novella.stopCinder();
      held.release();
      const waits = async () => (await novella.rows())['operation']?.some((row) => /attach.*waiting,cinder/.test(row));
      await waitUntil(waits, { what: 'the attach to wait for Cinder' });
      await novella.startCinder();
      await novella.untilVolume(volume, 'in-use');
      expect((await novella.endedAction(server, 'attach_volume', LONG)).result).toBe('Success');
    },
    LONG,
  );
});

describe('while Postgres is away', () => {
  let novella: Novella;
  let server: string;
  let volume: string;
  beforeAll(async () => {
    novella = await Novella.start();
    await novella.image(IMAGE, {}, 'x');
    server = await novella.server(IMAGE);
    volume = await novella.attachedVolume(server);
  }, LONG);
  afterAll(() => novella.close());

  it(
    'every request is 503, and it all goes on in the same process afterwards',
    async () => {
      await novella.stopPostgres();
      const away = [
        await novella.postEvents([novella.event(server, volume)]),
        await novella.requestServer({ imageRef: IMAGE }),
        await novella.attach(server, volume),
        await novella.nova('GET', `/servers/${server}`),
        await novella.nova('GET', '/servers/detail'),
        await novella.nova('GET', '/flavors'),
        await novella.nova('DELETE', `/servers/${server}`),
      ];
      expect(away.map((answer) => [answer.status, faultKey(answer)])).toEqual(
        away.map(() => [503, 'serviceUnavailable']),
      );
      expect(await novella.health()).toBe(503);

      await novella.startPostgres();
      await waitUntil(async () => (await novella.health()) === 200, { what: 'the API to be ready again' });
      expect((await novella.actions(server, 'extend_volume')).length).toBe(0);
      await novella.cinder('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 2 } });
      await waitUntil(async () => (await novella.actions(server, 'extend_volume')).length > 0);
      expect((await novella.endedAction(server, 'extend_volume', LONG)).result).toBe('Success');
      expect(await novella.guestBytes(server, volume)).toBe(2 * 2 ** 30);
    },
    LONG,
  );

  it(
    'the result of a command that ran meanwhile is recorded afterwards (rule 3.1e)',
    async () => {
      const held = novella.virt.hangNext('resizeDisk', 'after');
      await novella.cinder('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 4 } });
      await held.reached;
      await novella.stopPostgres();
      held.release();
      await waitUntil(async () => (await novella.health()) === 503);
      await novella.startPostgres();
      await waitUntil(async () => (await novella.health()) === 200, { what: 'the API to be ready again' });
      expect((await novella.endedAction(server, 'extend_volume', LONG)).result).toBe('Success');
      expect(await novella.guestBytes(server, volume)).toBe(4 * 2 ** 30);
    },
    LONG,
  );
});
