import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ErrorCode, seconds, type ServerId, type VolumeId } from '@novella/core';
import {
  activeServer,
  built,
  HOST,
  newServer,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

const VOLUME = '99999999-8888-4777-8666-555555555555';
const OTHER = '99999999-8888-4777-8666-000000000000';

let api: TestApi;
let server: ServerId;
let volume: VolumeId;
beforeEach(async () => {
  api = await startNovaApi();
  server = await activeServer(api);
  volume = api.cinder.add(VOLUME);
});
afterEach(() => api.close());

const url = (id: string = server, rest = '') => `/v2.1/servers/${id}/os-volume_attachments${rest}`;
const attach = (fields: object = {}, version = '2.60') =>
  api.ask('POST', url(), { version, body: { volumeAttachment: { volumeId: VOLUME, ...fields } } });
const mappings = async () => (await api.store.blockDeviceMappings([server])).get(server) ?? [];
const openAttaches = async () =>
  (await api.store.operations({ serverId: server, open: true, limit: 10 })).filter(({ kind }) => kind === 'attach');

describe('POST os-volume_attachments', () => {
  it('answers the reserved device, has the attachment at Cinder and a queued operation', async () => {
    const hints = api.hints();
    const answer = await attach();
    expect(answer.code).toBe(200);
    expect(answer.json).toEqual({
      volumeAttachment: { id: VOLUME, volumeId: VOLUME, serverId: server, device: '/dev/vdb' },
    });
    const [[attachmentId, attachment] = []] = api.cinder.attachments;
    expect(attachment).toEqual({ volume: VOLUME, server });
    expect((await mappings())[0]?.attachmentId).toBe(attachmentId);
    expect(await openAttaches()).toMatchObject([{ state: 'queued', volumeId: VOLUME }]);
    expect(api.hints()).toBe(hints + 1);
  });

  it('asks Cinder with the user’s own token', async () => {
    await attach();
    expect(api.cinder.users.map(({ token }) => token)).toContain(USER);
  });

  it('equals what list shows afterwards, below 2.89', async () => {
    const { volumeAttachment } = (await attach({ tag: 'data', delete_on_termination: true }, '2.88')).json;
    const list = await api.ask('GET', url(), { version: '2.88' });
    expect(list.json).toEqual({ volumeAttachments: [volumeAttachment] });
    expect(volumeAttachment).toMatchObject({ tag: 'data', delete_on_termination: true });
  });

  it('keeps id and hides attachment_id at 2.89', async () => {
    const { volumeAttachment } = (await attach({}, '2.89')).json;
    expect(Object.keys(volumeAttachment).toSorted()).toEqual([
      'delete_on_termination',
      'device',
      'id',
      'serverId',
      'tag',
      'volumeId',
    ]);
  });

  it('takes the device that was asked for, and refuses it with 409 when it is taken', async () => {
    api.cinder.add(OTHER);
    expect((await attach({ device: '/dev/vdq' })).json.volumeAttachment.device).toBe('/dev/vdq');
    expect((await attach({ volumeId: OTHER, device: '/dev/vdq' })).code).toBe(409);
    expect(api.cinder.attachments.size).toBe(1);
  });

  it.each(['/dev/sdq', '/dev/hda', '/dev/vdaa', '/dev/vdb1', null])(
    'takes the first free name for %s, which is none of the bus',
    async (device) => {
      expect((await attach({ device })).json.volumeAttachment.device).toBe('/dev/vdb');
    },
  );

  it.each<[string, object, string, number]>([
    ['no volume', { volumeId: undefined }, '2.60', 400],
    ['a volume that is no uuid', { volumeId: 'vol-1' }, '2.60', 400],
    ['an unknown volume', { volumeId: OTHER }, '2.60', 404],
    ['a bad device', { device: 'vdb' }, '2.60', 400],
    ['a device that climbs', { device: '/dev/../etc' }, '2.60', 400],
    ['a device in upper case', { device: '/dev/VDB' }, '2.60', 400],
    ['a device that is too long', { device: `/dev/vd${'b'.repeat(255)}` }, '2.60', 400],
    ['a tag with a comma', { tag: 'a,b' }, '2.60', 400],
    ['a tag before 2.49', { tag: 'a' }, '2.48', 400],
    ['delete_on_termination before 2.79', { delete_on_termination: true }, '2.78', 400],
    ['delete_on_termination that is no boolean', { delete_on_termination: 'maybe' }, '2.79', 400],
    ['an unknown key', { mountpoint: '/mnt' }, '2.60', 400],
  ])('refuses %s and writes nothing', async (_, fields, version, code) => {
    expect((await attach(fields, version)).code).toBe(code);
    expect(await mappings()).toEqual([]);
    expect(api.cinder.attachments.size).toBe(0);
  });

  it.each([
    ['in-use', false, '2.60', 400],
    ['error', false, '2.60', 400],
    ['available', true, '2.59', 400],
    ['available', true, '2.60', 200],
    ['in-use', true, '2.60', 200],
  ])('a volume that is %s, multiattach %s, at %s gives %i', async (status, multiattach, version, code) => {
    api.cinder.add(VOLUME, { status, multiattach });
    expect((await attach({}, version)).code).toBe(code);
  });

  it('refuses a second attachment to the same server with 400', async () => {
    api.cinder.add(VOLUME, { multiattach: true });
    await attach();
    expect((await attach()).code).toBe(400);
    expect(await mappings()).toHaveLength(1);
  });

  it('refuses a server that is building with 409 and a stranger’s with 404', async () => {
    const body = { volumeAttachment: { volumeId: VOLUME } };
    const building = await newServer(api);
    expect((await api.ask('POST', url(building), { body })).code).toBe(409);
    expect((await api.ask('POST', url(), { body, as: STRANGER })).code).toBe(404);
    expect(api.cinder.attachments.size).toBe(0);
  });

  it('takes a server that is stopped', async () => {
    const stopped = await built(api, await newServer(api), 'stopped');
    const body = { volumeAttachment: { volumeId: VOLUME } };
    expect((await api.ask('POST', url(stopped), { body })).code).toBe(200);
  });

  it.each<[ErrorCode, number]>([
    ['cinder-refused', 400],
    ['volume-not-found', 404],
    ['cinder-unauthorized', 403],
  ])('leaves nothing behind when Cinder answers %s', async (code, status) => {
    api.cinder.failNext('createAttachment', volume, code);
    expect((await attach()).code).toBe(status);
    expect(await mappings()).toEqual([]);
    expect((await api.store.instanceActions(server)).map(({ action }) => action)).toEqual(['create']);
  });

  it('leaves the reservation to the engine when it is not known what Cinder did', async () => {
    api.cinder.failNext('createAttachment', volume, 'cinder-unreachable');
    expect((await attach()).code).toBe(503);
    expect(await mappings()).toHaveLength(1);
    expect(await openAttaches()).toMatchObject([{ state: 'waiting', waitingFor: 'api' }]);
  });
});

describe('GET os-volume_attachments', () => {
  it.each([
    ['2.1', ['device', 'id', 'serverId', 'volumeId']],
    ['2.70', ['device', 'id', 'serverId', 'tag', 'volumeId']],
    ['2.79', ['delete_on_termination', 'device', 'id', 'serverId', 'tag', 'volumeId']],
    ['2.89', ['attachment_id', 'bdm_uuid', 'delete_on_termination', 'device', 'serverId', 'tag', 'volumeId']],
  ])('shows at %s exactly %j', async (version, keys) => {
    await attach();
    const shown = await api.ask('GET', url(server, `/${VOLUME}`), { version });
    expect(Object.keys(shown.json.volumeAttachment).toSorted()).toEqual(keys);
    const listed = await api.ask('GET', url(), { version });
    expect(listed.json.volumeAttachments).toEqual([shown.json.volumeAttachment]);
  });

  it('hides a mapping that Cinder has not answered for from 2.89 on', async () => {
    api.cinder.failNext('createAttachment', volume, 'cinder-unreachable');
    await attach();
    expect((await api.ask('GET', url(server, `/${VOLUME}`), { version: '2.88' })).code).toBe(200);
    expect((await api.ask('GET', url(server, `/${VOLUME}`), { version: '2.89' })).code).toBe(404);
    expect((await api.ask('GET', url(), { version: '2.89' })).json.volumeAttachments).toEqual([]);
  });

  it('takes a limit of any length', async () => {
    expect((await api.ask('GET', `${url()}?limit=${'9'.repeat(400)}`)).code).toBe(200);
  });

  it('pages by limit and offset', async () => {
    api.cinder.add(OTHER);
    await attach();
    await attach({ volumeId: OTHER });
    const page = await api.ask('GET', `${url()}?limit=1&offset=1`);
    expect(page.json.volumeAttachments.map(({ volumeId }: { volumeId: string }) => volumeId)).toEqual([OTHER]);
    expect((await api.ask('GET', `${url()}?limit=many`)).code).toBe(400);
  });

  it('is 404 for a volume that is not attached and for a server of another project', async () => {
    expect((await api.ask('GET', url(server, `/${OTHER}`))).code).toBe(404);
    expect((await api.ask('GET', url(), { as: STRANGER })).code).toBe(404);
    expect((await api.ask('GET', url(OTHER))).code).toBe(404);
    expect((await api.ask('GET', url('vm-1'))).code).toBe(404);
  });

  it('shows a multiattach volume under each server that has it, and under no other', async () => {
    api.cinder.add(VOLUME, { multiattach: true });
    const second = await activeServer(api);
    const third = await activeServer(api);
    const body = { volumeAttachment: { volumeId: VOLUME } };
    await attach({}, '2.60');
    expect((await api.ask('POST', url(second), { version: '2.60', body })).code).toBe(200);
    for (const id of [server, second]) {
      const shown = await api.ask('GET', url(id, `/${VOLUME}`));
      expect(shown.json.volumeAttachment).toMatchObject({ serverId: id, volumeId: VOLUME });
    }
    expect((await api.ask('GET', url(third, `/${VOLUME}`))).code).toBe(404);
  });
});

describe('PUT os-volume_attachments', () => {
  const OLD = `/${VOLUME}`;
  const put = (fields: object, options: object = {}) =>
    api.ask('PUT', url(server, OLD), {
      version: '2.85',
      body: { volumeAttachment: { volumeId: VOLUME, ...fields } },
      ...options,
    });
  const message = async (answer: ReturnType<typeof put>) =>
    Object.values((await answer).json as unknown as Record<string, unknown>)[0];
  const deletes = async () => (await mappings())[0]?.deleteOnTermination;

  it.each([
    ['true', true],
    [false, false],
    ['off', false],
    [1, 400],
    [null, 400],
    ['maybe', 400],
  ])('changes delete_on_termination to %j from 2.85 on: %j', async (given, becomes) => {
    await attach({ delete_on_termination: true }, '2.79');
    const answer = await put({ delete_on_termination: given });
    if (typeof becomes === 'number') expect(answer.code).toBe(becomes);
    else expect([answer.code, answer.text]).toEqual([202, '']);
    expect(await deletes()).toBe(becomes === false ? false : true);
  });

  it('takes back what show answers, and changes nothing', async () => {
    await attach({ tag: 'data', delete_on_termination: true }, '2.79');
    const shown = (await api.ask('GET', url(server, OLD), { version: '2.85' })).json.volumeAttachment;
    expect((await put(shown)).code).toBe(202);
    const after = (await api.ask('GET', url(server, OLD), { version: '2.85' })).json.volumeAttachment;
    expect(after).toEqual(shown);
    expect((await put({})).code).toBe(202);
  });

  it.each<[string, object]>([
    ['id', { id: OTHER }],
    ['serverId', { serverId: OTHER }],
    ['device', { device: '/dev/vdq' }],
    ['device', { device: null }],
    ['tag', { tag: 'other' }],
  ])('refuses another %s with 400, and changes nothing', async (property, fields) => {
    await attach({ delete_on_termination: true, tag: 'data' }, '2.79');
    const answer = put({ ...fields, delete_on_termination: false });
    expect(await message(answer)).toEqual({ code: 400, message: `The ${property} property is not mutable` });
    expect(await deletes()).toBe(true);
  });

  it.each<[string, object, string]>([
    ['no volumeId', { volumeId: undefined }, '2.85'],
    ['a volumeId that is no uuid', { volumeId: 'vol-1' }, '2.85'],
    ['an unknown key', { size: 2 }, '2.85'],
    ['a tag that is null', { tag: null }, '2.85'],
    ['delete_on_termination before 2.85', { delete_on_termination: true }, '2.84'],
    ['a device before 2.85', { device: '/dev/vdb' }, '2.84'],
  ])('refuses %s with 400', async (_, fields, version) => {
    await attach();
    expect((await put(fields, { version })).code).toBe(400);
  });

  it('is a 404 for a volume that is not attached, and for a stranger', async () => {
    const text = `No volume Block Device Mapping with id ${VOLUME}.`;
    expect(await message(put({ delete_on_termination: true }))).toEqual({ code: 404, message: text });
    await attach();
    expect((await put({ delete_on_termination: true }, { as: STRANGER })).code).toBe(404);
    expect(await deletes()).toBe(false);
  });

  describe('that would swap volumes', () => {
    const ADMIN = 'admin:service';
    const swap = (options: object = {}) => put({ volumeId: OTHER }, { as: ADMIN, ...options });
    beforeEach(async () => {
      await attach({ delete_on_termination: true }, '2.79');
      api.cinder.add(VOLUME, { status: 'in-use', migrationStatus: 'migrating' });
      api.cinder.add(OTHER);
    });

    it('is for services alone, which every PUT is below 2.85', async () => {
      const rule = "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.";
      expect(await message(swap({ as: USER }))).toEqual({ code: 403, message: rule });
      expect(await message(put({}, { as: USER, version: '2.84' }))).toEqual({ code: 403, message: rule });
      expect((await put({}, { as: ADMIN, version: '2.84' })).code).toBe(501);
    });

    it('is refused with 501 as what no driver can do, and nothing is written', async () => {
      const before = await mappings();
      const answer = await put({ volumeId: OTHER, delete_on_termination: false }, { as: ADMIN });
      expect(answer.code).toBe(501);
      expect(answer.json).toMatchObject({
        notImplemented: {
          code: 501,
          message: expect.stringMatching(/^The requested functionality is not supported\./),
        },
      });
      expect(await mappings()).toEqual(before);
      expect(api.cinder.attachments.size).toBe(1);
    });

    it('is a 409 unless Cinder says that the volume is migrating', async () => {
      api.cinder.add(VOLUME, { status: 'in-use' });
      const text = `volume ${VOLUME} is not migrating; this API should only be called by Cinder`;
      expect(await message(swap())).toEqual({ code: 409, message: text });
    });

    it('is a 400 for a new volume that is not there, and a 404 for an old one', async () => {
      api.cinder.volumes.delete(OTHER as VolumeId);
      expect((await swap()).code).toBe(400);
      api.cinder.volumes.delete(volume);
      expect((await swap()).code).toBe(404);
    });

    it('is a 409 in a state in which Nova does not swap, and a 400 with what cannot be changed', async () => {
      expect((await put({ volumeId: OTHER, tag: 'other' }, { as: ADMIN })).code).toBe(400);
      await api.ask('POST', `/v2.1/servers/${server}/action`, { body: { 'os-stop': null } });
      const text = `Cannot 'swap_volume' instance ${server} while it is in task_state powering-off`;
      expect(await message(swap())).toEqual({ code: 409, message: text });
    });
  });
});

describe('DELETE os-volume_attachments', () => {
  const detach = (id: string = VOLUME, options: object = {}) => api.ask('DELETE', url(server, `/${id}`), options);
  const open = async () =>
    (await api.store.operations({ serverId: server, open: true, limit: 10 })).map(({ kind }) => kind);
  const message = async (answer: ReturnType<typeof detach>) =>
    Object.values((await answer).json as unknown as Record<string, unknown>)[0];
  /** Attaches, ends the attach as a conductor would, and tells Cinder's side of it. */
  async function attached(status = 'in-use'): Promise<void> {
    await attach();
    const [attaching] = await openAttaches();
    const claimed = await api.store.claimOne(attaching!.id, 'test', seconds(60));
    const facts = { host: HOST, step: null, generation: 1, deadlineIn: seconds(60) };
    const sent = await api.store.dispatch(claimed!, facts);
    if (sent === null || sent === 'excluded') throw new Error('the attach cannot be dispatched');
    const [mapping] = await mappings();
    const changes = { mappings: [{ id: mapping!.id, attached: true as const }] };
    await api.store.end(sent, { result: 'succeeded', changes });
    api.cinder.add(VOLUME, { status });
  }

  it('is accepted with 202 and nothing else: a detach operation, its action and a hint', async () => {
    await attached();
    const hints = api.hints();
    const answer = await detach();
    expect([answer.code, answer.text]).toEqual([202, '']);
    expect(await open()).toEqual(['detach']);
    expect((await api.store.instanceActions(server))[0]).toMatchObject({ action: 'detach_volume', message: null });
    expect(api.hints()).toBe(hints + 1);
    expect(await mappings()).toHaveLength(1);
    expect(api.cinder.users.at(-1)?.token).toBe(USER);
  });

  it('is a 400 the second time, as from a Cinder that is detaching already', async () => {
    await attached();
    const codes = [(await detach()).code, (await detach()).code];
    expect(codes).toEqual([202, 400]);
    expect(await open()).toEqual(['detach']);
  });

  it.each(['attaching', 'detaching', 'extending', 'available', 'error'])(
    'is a 400 while the volume is %s',
    async (status) => {
      await attached(status);
      expect(await message(detach())).toMatchObject({ code: 400, message: expect.stringMatching(/^Invalid volume/) });
      expect(await open()).toEqual([]);
    },
  );

  it('is a 400 while the attach has not ended', async () => {
    await attach();
    api.cinder.add(VOLUME, { status: 'in-use' });
    expect((await detach()).code).toBe(400);
    expect(await open()).toEqual(['attach']);
  });

  it('is a 409 that names the task of a busy server', async () => {
    await attached();
    await api.ask('POST', `/v2.1/servers/${server}/action`, { body: { 'os-stop': null } });
    const text = `Cannot 'detach_volume' instance ${server} while it is in task_state powering-off`;
    expect(await message(detach())).toEqual({ code: 409, message: text });
    expect(await open()).toEqual(['stop']);
  });

  it('is a 404 for a volume that is attached elsewhere or nowhere, is unknown, or is no id', async () => {
    api.cinder.add(OTHER, { status: 'in-use' });
    const text = `Instance ${server} is not attached to volume ${OTHER}`;
    expect(await message(detach(OTHER))).toEqual({ code: 404, message: text });
    expect((await detach('99999999-8888-4777-8666-111111111111')).code).toBe(404);
    expect((await detach('vol-1')).code).toBe(404);
    expect((await detach(VOLUME.toUpperCase())).code).toBe(404);
  });

  it('is a 404 for a stranger, and Cinder is not asked', async () => {
    await attached();
    const asked = api.cinder.users.length;
    expect((await detach(VOLUME, { as: STRANGER })).code).toBe(404);
    expect(api.cinder.users).toHaveLength(asked);
    expect(await open()).toEqual([]);
  });

  it('refuses the root device with 400', async () => {
    const root = api.cinder.add(OTHER, { bootable: true });
    const device = { source_type: 'volume', destination_type: 'volume', uuid: root, boot_index: 0 };
    const fields = { name: 'vm', flavorRef: '1', networks: 'none', block_device_mapping_v2: [device] };
    const made = await api.ask('POST', '/v2.1/servers', { version: '2.60', body: { server: fields } });
    const booted = await built(api, made.json.server.id);
    api.cinder.add(root, { status: 'in-use' });
    const answer = await api.ask('DELETE', url(booted, `/${root}`));
    expect(answer.json.badRequest).toEqual({ code: 400, message: 'Cannot detach a root device volume' });
  });

  it.each<[ErrorCode, number]>([
    ['cinder-unreachable', 503],
    ['cinder-unauthorized', 403],
    ['volume-not-found', 404],
  ])('writes nothing when Cinder answers %s', async (code, status) => {
    await attached();
    api.cinder.failNext('volume', volume, code);
    expect((await detach()).code).toBe(status);
    expect(await open()).toEqual([]);
  });
});
