import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, type ErrorCode, type UserId } from '@novella/core';
import { EVERY_PROJECT } from '@novella/persistence';
import { ADMIN, FLAVOR, image, IMAGE, startNovaApi, type TestApi } from '../testing/start-nova-api.js';

const BOOT = 'b0000000-0000-4000-8000-000000000000';
const DATA = 'da7a0000-0000-4000-8000-000000000000';
const UNKNOWN = '00000000-1111-4222-8333-444444444444';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
  api.cinder.add(BOOT, { bootable: true });
  api.cinder.add(DATA);
});
afterEach(() => api.close());

const SERVER = { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none' };
const imageRoot = { source_type: 'image', destination_type: 'local', boot_index: 0, uuid: IMAGE };
const bootVolume = { source_type: 'volume', destination_type: 'volume', boot_index: 0, uuid: BOOT };
const dataVolume = { source_type: 'volume', destination_type: 'volume', boot_index: -1, uuid: DATA };

const create = (fields: object = {}, options: { version?: string; as?: string; beside?: object } = {}) =>
  api.ask('POST', '/v2.1/servers', {
    version: options.version ?? '2.96',
    ...(options.as === undefined ? {} : { as: options.as }),
    body: { server: { ...SERVER, ...fields }, ...options.beside },
  });
const servers = async () => {
  const listed = await api.store.instances({ projectId: EVERY_PROJECT, limit: 1_000, marker: null });
  if (typeof listed === 'string') throw new Error(listed);
  return listed;
};

describe('POST /servers', () => {
  it('answers 202 with links and Location, and has the server and its build stored', async () => {
    const answer = await create({ metadata: { role: 'db' }, description: 'a server' });
    expect(answer.code).toBe(202);
    const { id } = answer.json.server;
    expect(answer.headers['location']).toBe(answer.json.server.links[0]?.href);
    expect(answer.json.server).toMatchObject({ security_groups: [{ name: 'default' }], 'OS-DCF:diskConfig': 'MANUAL' });
    expect(answer.json.server.adminPass).toHaveLength(12);
    expect(await servers()).toMatchObject([{ id, metadata: { role: 'db' }, description: 'a server', imageRef: IMAGE }]);
    expect(await api.store.operations({ limit: 10 })).toMatchObject([{ kind: 'build', state: 'queued', serverId: id }]);
    const [action] = await api.store.instanceActions(id);
    expect(action).toMatchObject({ action: 'create', requestId: answer.headers['x-compute-request-id'] });
    expect(api.hints()).toBe(1);
  });

  it('keeps and shows what users say of it', async () => {
    const said = {
      hostname: 'www',
      tags: ['b', 'a', 'b'],
      accessIPv4: '10.0.0.1',
      accessIPv6: '::1',
      config_drive: 'yes',
      'OS-DCF:diskConfig': 'AUTO',
      user_data: 'aGk=',
      security_groups: [{ name: 'default' }, {}],
    };
    const answer = await create(said);
    expect(answer.json.server).toMatchObject({
      'OS-DCF:diskConfig': 'AUTO',
      security_groups: [{ name: 'default' }, {}],
    });
    const { id } = answer.json.server;
    const shown = (await api.ask('GET', `/v2.1/servers/${id}`, { version: '2.96', as: ADMIN })).json.server;
    expect(shown).toMatchObject({
      'OS-EXT-SRV-ATTR:hostname': 'www',
      tags: ['a', 'b'],
      accessIPv4: '10.0.0.1',
      accessIPv6: '::1',
      config_drive: 'True',
      'OS-DCF:diskConfig': 'AUTO',
      'OS-EXT-SRV-ATTR:user_data': 'aGk=',
      'OS-EXT-SRV-ATTR:kernel_id': '',
      key_name: null,
    });
    expect(shown).not.toHaveProperty('security_groups');
  });

  it('keeps the name and the content of the user’s own key', async () => {
    const key = { name: 'laptop', type: 'ssh', publicKey: 'ssh-rsa AAAA', fingerprint: 'x' } as const;
    await api.store.createKeyPair({ ...key, userId: 'mallory' as UserId }, 9);
    expect((await create({ key_name: 'laptop' })).code).toBe(400);
    await api.store.createKeyPair({ ...key, userId: 'alice' as UserId }, 9);
    const { id } = (await create({ key_name: 'laptop' })).json.server;
    await api.store.deleteKeyPair('alice' as UserId, 'laptop');
    expect(await api.store.instance(id)).toMatchObject({ keyName: 'laptop' });
    expect((await api.store.instanceExtras([id])).get(id)).toEqual({ userData: null, keyData: 'ssh-rsa AAAA' });
  });

  it('keeps kernel and ramdisk of the image', async () => {
    const properties = { kernelId: 'k', ramdiskId: 'r', commandLine: null, diskBus: 'scsi' } as const;
    api.images.set(IMAGE, image({ properties }));
    await create();
    expect(await servers()).toMatchObject([{ kernelId: 'k', ramdiskId: 'r', diskBus: 'scsi' }]);
  });

  it.each([
    ['2.18', 'vm'],
    ['2.19', null],
  ])('at %s is described, when nobody does, by %j', async (version, description) => {
    await create({ networks: [] }, { version });
    expect((await servers())[0]).toMatchObject({ description });
  });

  it.each([
    ['web_1.example', 'web-1-example'],
    ['.Wëb (ü) – 1.', 'wëb-ü--1'],
    ['日本', /^Server-[0-9a-f-]{36}$/],
    ['x'.repeat(70), 'x'.repeat(63)],
  ])('names %j the guest %s', async (name, hostname) => {
    await create({ name });
    expect((await servers())[0]?.hostname).toEqual(
      typeof hostname === 'string' ? hostname : expect.stringMatching(hostname),
    );
  });

  it('makes several alike, each with its number, and answers the first', async () => {
    const answer = await create({ min_count: 2, max_count: '3', tags: ['t'], metadata: { a: 'b' } });
    expect(answer.code).toBe(202);
    const made = (await servers()).toReversed();
    expect(made.map(({ name, hostname, launchIndex }) => [name, hostname, launchIndex])).toEqual([
      ['vm-1', 'vm-1', 0],
      ['vm-2', 'vm-2', 1],
      ['vm-3', 'vm-3', 2],
    ]);
    expect(new Set(made.map(({ reservationId }) => reservationId)).size).toBe(1);
    expect(made.every(({ tags, metadata }) => tags[0] === 't' && metadata['a'] === 'b')).toBe(true);
    expect(answer.json.server.id).toBe(made[0]?.id);
    expect(answer.headers['location']).toContain(made[0]?.id);
    expect(await api.store.operations({ limit: 10 })).toHaveLength(3);
    expect(api.hints()).toBe(1);
  });

  it.each<[object, number, number]>([
    [{ min_count: 100 }, 202, 100],
    [{ min_count: 101 }, 403, 0],
    [{ min_count: 1, max_count: 1_000 }, 202, 100],
    [{ max_count: 2 }, 202, 2],
    [{ min_count: 2 }, 202, 2],
  ])('answers a request for %j with %i and %i servers', async (counts, code, made) => {
    expect((await create(counts)).code).toBe(code);
    expect(await servers()).toHaveLength(made);
  });

  it('takes 128 items of metadata, and 403 for one more', async () => {
    const items = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
    expect((await create({ metadata: items(129) })).json.forbidden.code).toBe(403);
    expect((await create({ metadata: items(128) })).code).toBe(202);
  });

  it.each([
    [{ networks: 'auto' }, 'Unable to automatically allocate a network for project'],
    [{ networks: [{ uuid: UNKNOWN }] }, `Network ${UNKNOWN} could not be found.`],
    [{ networks: [{ port: UNKNOWN }] }, `Port ${UNKNOWN} could not be found.`],
  ])('says in Nova’s words that there are no networks: %j', async (fields, message) => {
    expect((await create(fields)).json.badRequest.message).toContain(message);
  });

  it('finds a flavor by a link to it', async () => {
    expect((await create({ flavorRef: 'http://nova.example/v2.1/flavors/1' })).code).toBe(202);
  });

  it('answers the reservation alone when asked', async () => {
    const answer = await create({ return_reservation_id: true });
    const [server] = await servers();
    expect(answer.json).toEqual({ reservation_id: `r-${server?.id.slice(0, 8) ?? ''}` });
  });

  it('leaves the password out when the configuration says so', async () => {
    const without = await startNovaApi({ enableInstancePassword: false });
    const answer = await without.ask('POST', '/v2.1/servers', { version: '2.96', body: { server: SERVER } });
    await without.close();
    expect(answer.json.server).not.toHaveProperty('adminPass');
  });

  it('boots from a volume with the bus of the mapping and its attachment at Cinder', async () => {
    const answer = await create({
      imageRef: '',
      block_device_mapping_v2: [
        { ...bootVolume, disk_bus: 'scsi', delete_on_termination: true, tag: 'root' },
        dataVolume,
      ],
    });
    expect(answer.code).toBe(202);
    const id = answer.json.server.id;
    expect((await servers())[0]).toMatchObject({ imageRef: null, diskBus: 'scsi' });
    const mappings = (await api.store.blockDeviceMappings([id])).get(id) ?? [];
    expect(
      mappings.map(({ volumeId, bootIndex, bus, tag, deleteOnTermination }) => [
        volumeId,
        bootIndex,
        bus,
        tag,
        deleteOnTermination,
      ]),
    ).toEqual([
      [BOOT, 0, 'scsi', 'root', true],
      [DATA, null, 'scsi', null, false],
    ]);
    expect(
      mappings.every(({ attachmentId }) => attachmentId !== null && api.cinder.attachments.has(attachmentId)),
    ).toBe(true);
    expect(await api.store.operations({ limit: 10 })).toMatchObject([{ kind: 'build', state: 'queued' }]);
  });

  it.each([
    [{}, {}, 'virtio'],
    [{ hw_disk_bus: 'scsi' }, {}, 'scsi'],
    [{ hw_disk_bus: 'scsi' }, { disk_bus: 'virtio' }, 'virtio'],
    [{ hw_disk_bus: 'ide' }, { disk_bus: 'scsi' }, 'scsi'],
  ])('boots a volume made of an image with %j and a mapping with %j on %s', async (imageMetadata, fields, bus) => {
    api.cinder.add(BOOT, { bootable: true, imageMetadata });
    const devices = [{ ...bootVolume, ...fields }];
    expect((await create({ imageRef: '', block_device_mapping_v2: devices })).code).toBe(202);
    expect((await servers())[0]).toMatchObject({ diskBus: bus });
  });

  it.each([
    ['a bus that is not served', { hw_disk_bus: 'ide' }],
    ['a need of more memory', { min_ram: '513' }],
  ])('refuses a boot volume made of an image with %s with 400', async (_, imageMetadata) => {
    api.cinder.add(BOOT, { bootable: true, imageMetadata });
    expect((await create({ imageRef: '', block_device_mapping_v2: [bootVolume] })).code).toBe(400);
    expect(await servers()).toEqual([]);
  });

  it('heeds a device name of the bus, and takes the first free one for others', async () => {
    const other = 'da7a0000-0000-4000-8000-000000000001';
    api.cinder.add(other);
    const devices = [
      imageRoot,
      { ...dataVolume, device_name: 'vdq' },
      { ...dataVolume, uuid: other, device_name: 'hda' },
    ];
    const { id } = (await create({ block_device_mapping_v2: devices })).json.server;
    const mappings = (await api.store.blockDeviceMappings([id])).get(id) ?? [];
    expect(mappings.map(({ volumeId, device }) => [volumeId, device])).toEqual([
      [other, '/dev/vdb'],
      [DATA, '/dev/vdq'],
    ]);
  });

  it('takes an image with data volumes when the image is listed, and never reads a connection_info', async () => {
    const evil = { ...dataVolume, connection_info: '{"driver_volume_type": "local"}' };
    expect((await create({ block_device_mapping_v2: [imageRoot, evil] })).code).toBe(202);
    const [server] = await servers();
    const mappings = (await api.store.blockDeviceMappings([server!.id])).get(server!.id) ?? [];
    expect(mappings).toMatchObject([{ volumeId: DATA, connection: null, device: '/dev/vdb' }]);
  });

  it.each<[string, object]>([
    ['no name', { name: undefined }],
    ['an empty name', { name: '' }],
    ['a name with a blank at its end', { name: 'vm ' }],
    ['a name with a control character', { name: 'v\nm' }],
    ['a name that begins with a blank of another kind', { name: '\u00a0vm' }],
    ['a name with a line separator', { name: 'v\u2028m' }],
    ['a description with a control character', { description: 'a\u0000' }],
    ['a name that is too long', { name: 'x'.repeat(256) }],
    ['no flavor', { flavorRef: undefined }],
    ['an unknown flavor', { flavorRef: 'nope' }],
    ['an unknown image', { imageRef: UNKNOWN }],
    ['an image that is no uuid', { imageRef: 'cirros' }],
    ['neither image nor volume', { imageRef: '' }],
    ['no networks', { networks: undefined }],
    ['networks auto', { networks: 'auto' }],
    ['a network', { networks: [{ uuid: UNKNOWN }] }],
    ['networks of another kind', { networks: 'some' }],
    ['a port', { networks: [{ port: UNKNOWN }] }],
    ['a network that is none', { networks: [null] }],
    ['two servers with one volume', { max_count: 2, block_device_mapping_v2: [imageRoot, dataVolume] }],
    ['two servers with one host name', { max_count: 2, hostname: 'web' }],
    ['a count beyond numbers', { min_count: '9'.repeat(30) }],
    ['more at least than at most', { min_count: 2, max_count: 1 }],
    ['a count of nothing', { min_count: 0 }],
    ['a key that the user does not have', { key_name: 'mine' }],
    ['another security group', { security_groups: [{ name: 'web' }] }],
    ['another zone', { availability_zone: 'mars' }],
    ['a config drive that is neither', { config_drive: 'maybe' }],
    ['user data that is no base64', { user_data: 'aGk' }],
    ['user data that is too long', { user_data: 'a'.repeat(65_536) }],
    ['user data that is null', { user_data: null }],
    ['personality after 2.56', { personality: [] }],
    ['a tag with a comma', { tags: ['a,b'] }],
    ['a tag with a slash', { tags: ['a/b'] }],
    ['an empty tag', { tags: [''] }],
    ['a tag of 61 letters', { tags: ['x'.repeat(61)] }],
    ['51 tags', { tags: Array.from({ length: 51 }, (_, n) => `t${n}`) }],
    ['tags that are no list', { tags: 'a' }],
    ['certificates', { trusted_image_certificates: [UNKNOWN] }],
    ['a host name with a blank', { hostname: 'w b' }],
    ['an empty host name', { hostname: '' }],
    ['an address of the other family', { accessIPv4: '::1' }],
    ['an address of the other family', { accessIPv6: '10.0.0.1' }],
    ['an address that is none', { accessIPv4: '10.0.0' }],
    ['metadata that is no text', { metadata: { a: 1 } }],
    ['metadata that is a list', { metadata: [] }],
    ['a disk config that is none', { 'OS-DCF:diskConfig': 'auto' }],
    ['a key that nobody knows', { color: 'red' }],
    ['a legacy mapping', { block_device_mapping: [{ volume_id: BOOT }] }],
    ['a mapping that is null', { block_device_mapping_v2: [null] }],
    ['data volumes without the image in the list', { block_device_mapping_v2: [dataVolume] }],
    ['a boot order with a gap', { block_device_mapping_v2: [imageRoot, { ...dataVolume, boot_index: 2 }] }],
    ['another image as root', { block_device_mapping_v2: [{ ...imageRoot, uuid: UNKNOWN }] }],
    ['a blank device', { block_device_mapping_v2: [imageRoot, { source_type: 'blank', destination_type: 'local' }] }],
    ['a new volume of an image', { block_device_mapping_v2: [{ ...imageRoot, destination_type: 'volume' }] }],
    ['an unknown volume', { block_device_mapping_v2: [imageRoot, { ...dataVolume, uuid: UNKNOWN }] }],
    ['a volume given twice', { block_device_mapping_v2: [imageRoot, dataVolume, dataVolume] }],
    ['a bus that is not served', { block_device_mapping_v2: [imageRoot, { ...dataVolume, disk_bus: 'ide' }] }],
    ['a CD-ROM', { block_device_mapping_v2: [imageRoot, { ...dataVolume, device_type: 'cdrom' }] }],
    ['an unknown mapping key', { block_device_mapping_v2: [{ ...imageRoot, color: 'red' }] }],
    ['a boot volume that is not bootable', { imageRef: '', block_device_mapping_v2: [{ ...bootVolume, uuid: DATA }] }],
  ])('refuses %s with 400 and writes nothing', async (_, fields) => {
    const answer = await create(fields);
    expect(answer.code).toBe(400);
    expect(answer.json.badRequest.code).toBe(400);
    expect(await servers()).toEqual([]);
    expect(api.cinder.attachments.size).toBe(0);
    expect(api.hints()).toBe(0);
  });

  it.each<[string, string, object, number]>([
    ['2.36', 'no networks', { networks: undefined }, 202],
    ['2.37', 'no networks', { networks: undefined }, 400],
    ['2.36', 'networks none', { networks: 'none' }, 400],
    ['2.37', 'an empty list of networks', { networks: [] }, 202],
    ['2.18', 'a description', { networks: [], description: 'x' }, 400],
    ['2.19', 'a description', { networks: [], description: 'x' }, 202],
    ['2.89', 'a host name', { hostname: 'web' }, 400],
    ['2.90', 'a host name', { hostname: 'web' }, 202],
    ['2.93', 'a host name with dots', { hostname: 'web.example' }, 400],
    ['2.94', 'a host name with dots', { hostname: 'web.example' }, 202],
    ['2.93', 'a host name of 64 letters', { hostname: 'x'.repeat(64) }, 400],
    ['2.94', 'a host name of 64 letters', { hostname: 'x'.repeat(64) }, 202],
    ['2.51', 'a tag', { tags: ['a'] }, 400],
    ['2.52', 'a tag', { tags: ['a'] }, 202],
    ['2.51', 'empty tags', { tags: [] }, 400],
    ['2.52', 'empty tags', { tags: [] }, 202],
    ['2.56', 'empty personality', { personality: [] }, 202],
    ['2.57', 'empty personality', { personality: [] }, 400],
    ['2.62', 'null certificates', { trusted_image_certificates: null }, 400],
    ['2.63', 'null certificates', { trusted_image_certificates: null }, 202],
    ['2.31', 'a device tag', { networks: [], block_device_mapping_v2: [imageRoot, { ...dataVolume, tag: 'a' }] }, 400],
    ['2.32', 'a device tag', { networks: [], block_device_mapping_v2: [imageRoot, { ...dataVolume, tag: 'a' }] }, 202],
    ['2.33', 'a device tag', { networks: [], block_device_mapping_v2: [imageRoot, { ...dataVolume, tag: 'a' }] }, 400],
    ['2.42', 'a device tag', { block_device_mapping_v2: [imageRoot, { ...dataVolume, tag: 'a' }] }, 202],
    ['2.73', 'a host', { host: 'host-1' }, 400],
    ['2.74', 'a host', { host: 'host-1' }, 403],
    ['2.96', 'a forced host', { availability_zone: 'nova:host-1' }, 403],
    ['2.96', 'the zone nova', { availability_zone: 'nova' }, 202],
    ['2.96', 'a whole flavor number', { flavorRef: 1 }, 202],
  ])('at %s %s gives %i', async (version, _, fields, code) => {
    expect((await create(fields, { version })).code).toBe(code);
  });

  it('refuses scheduler hints, but not empty ones', async () => {
    expect((await create({}, { beside: { 'os:scheduler_hints': { group: UNKNOWN } } })).code).toBe(400);
    expect((await create({}, { beside: { 'os:scheduler_hints': {} } })).code).toBe(202);
    expect((await create({}, { beside: { 'os:scheduler_hints': null } })).code).toBe(400);
  });

  it.each([
    ['too little memory', image({ minMemoryMib: 513 })],
    ['too small a disk', image({ minDiskGib: 2 })],
    ['a disk smaller than the image', image({ size: bytes(2 ** 30 + 1) })],
  ])('refuses a flavor with %s with 400', async (_, wanted) => {
    api.images.set(IMAGE, wanted);
    expect((await create()).code).toBe(400);
    expect(await servers()).toEqual([]);
  });

  it('keeps a flavor without a disk for administrators and servers that boot from a volume', async () => {
    await api.store.createFlavor({ ...FLAVOR, id: 'zero', name: 'zero', rootGib: 0 });
    expect((await create({ flavorRef: 'zero' })).code).toBe(403);
    expect((await create({ flavorRef: 'zero' }, { as: ADMIN })).code).toBe(202);
    const fromVolume = { flavorRef: 'zero', imageRef: undefined, block_device_mapping_v2: [bootVolume] };
    expect((await create(fromVolume)).code).toBe(202);
  });

  it.each([
    ['in-use', false, '2.96', 400],
    ['available', true, '2.59', 400],
    ['available', true, '2.60', 202],
  ])('a volume that is %s, multiattach %s, at %s gives %i', async (status, multiattach, version, code) => {
    api.cinder.add(DATA, { status, multiattach });
    expect((await create({ block_device_mapping_v2: [imageRoot, dataVolume] }, { version })).code).toBe(code);
  });

  it.each<[ErrorCode, number]>([
    ['cinder-refused', 400],
    ['volume-not-found', 400],
    ['cinder-unauthorized', 403],
  ])('undoes the first volume and forgets the server when the second gets %s', async (code, status) => {
    api.cinder.failNext('createAttachment', DATA, code);
    const devices = { imageRef: '', block_device_mapping_v2: [bootVolume, dataVolume] };
    expect((await create(devices)).code).toBe(status);
    expect(await servers()).toEqual([]);
    expect(api.cinder.attachments.size).toBe(0);
    expect(await api.store.operations({ limit: 10 })).toEqual([]);
  });

  it('leaves it to the engine when what was reserved cannot be undone', async () => {
    api.cinder.failNext('createAttachment', DATA, 'cinder-refused');
    api.cinder.failNext('deleteAttachment', 'a77ac000-0000-4000-8000-000000000001', 'cinder-unreachable');
    const devices = { imageRef: '', block_device_mapping_v2: [bootVolume, dataVolume] };
    expect((await create(devices)).code).toBe(400);
    expect(await api.store.operations({ limit: 10 })).toMatchObject([
      { kind: 'build', state: 'waiting', waitingFor: 'api' },
    ]);
  });

  it('leaves it to the engine when it is not known what Cinder did', async () => {
    api.cinder.failNext('createAttachment', BOOT, 'cinder-unreachable');
    expect((await create({ imageRef: '', block_device_mapping_v2: [bootVolume] })).code).toBe(503);
    expect(await servers()).toHaveLength(1);
    expect(await api.store.operations({ limit: 10 })).toMatchObject([{ state: 'waiting', waitingFor: 'api' }]);
  });
});
