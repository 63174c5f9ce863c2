import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ADMIN, faultKey, type Ask, NO_SUCH_ID, Novella, USER } from './novella.js';

/** Each wrong request on each route through the whole product: its code, its fault key, and not one row changed. */
const IMAGE = '11111111-2222-4333-8444-555555555555';
const STRANGER = `mallory:${'e'.repeat(32)}`;
const NUL = '\u0000';
const LONE_SURROGATE = '\ud800';

let novella: Novella;
let server: string;
let attached: string;
let free: string;
beforeAll(async () => {
  novella = await Novella.start();
  await novella.image(IMAGE, {}, 'x');
  server = await novella.server(IMAGE);
  attached = await novella.attachedVolume(server);
  free = await novella.volume();
}, 120_000);
afterAll(() => novella.close());

async function refused(method: string, path: string, ask: Ask, status: number, key: string): Promise<void> {
  const before = await everything();
  const answer = await novella.nova(method, path, ask);
  expect([answer.status, faultKey(answer)]).toEqual([status, key]);
  expect(await everything()).toEqual(before);
}

const everything = async () => ({
  rows: await novella.rows(),
  attachments: await novella.attachmentsAtCinder(free),
  status: await novella.volumeStatus(free),
});

const EVENTS = '/os-server-external-events';
const good = () => novella.event(server, attached);
it.each<[string, () => Ask, number, string]>([
  ['no body', () => ({}), 400, 'badRequest'],
  ['JSON that is cut off', () => ({ body: '{"events": [' }), 400, 'badRequest'],
  ['XML', () => ({ body: '<events/>', headers: { 'Content-Type': 'application/xml' } }), 415, 'badMediaType'],
  ['another key beside events', () => ({ body: { events: [good()], more: 1 } }), 400, 'badRequest'],
  ['one bad event after a good one', () => ({ body: { events: [good(), { name: 'x' }] } }), 400, 'badRequest'],
  ['no event', () => ({ body: { events: [] } }), 400, 'badRequest'],
  ['a name of a later microversion', () => ({ version: '2.50', body: { events: [good()] } }), 400, 'badRequest'],
  ['a version that is none', () => ({ version: 'abc', body: { events: [good()] } }), 400, 'badRequest'],
  ['a version that is not served', () => ({ version: '2.999', body: { events: [good()] } }), 406, 'computeFault'],
  ['a user', () => ({ as: USER, body: { events: [good()] } }), 403, 'forbidden'],
  ['unknown servers only', () => ({ body: { events: [novella.event(NO_SUCH_ID, free)] } }), 404, 'itemNotFound'],
])('an event POST with %s changes nothing', async (_, ask, status, key) => {
  await refused('POST', EVENTS, { as: ADMIN, ...ask() }, status, key);
});

it('an event with a server of another form of uuid is a 404, and nothing is written', async () => {
  const wrong = [server.toUpperCase(), server.replaceAll('-', '')].map((id) => novella.event(id, attached));
  await refused('POST', EVENTS, { as: ADMIN, body: { events: wrong } }, 404, 'itemNotFound');
});

it.each([
  ['a tag with NUL', `a${NUL}b`],
  ['a tag with a lone surrogate', LONE_SURROGATE],
  ['an empty tag', ''],
  ['255 characters outside of the basic plane', '\u{1f4be}'.repeat(255)],
  ['SQL', "'; drop table instance; --"],
])('%s is accepted, and ends as an Error that says that there is no such volume', async (_, tag) => {
  const { status, json } = await novella.postEvents([novella.event(server, tag)]);
  expect([status, json.events.map(({ code }) => code)]).toEqual([200, [200]]);
  const event = await novella.endedAction(server, 'extend_volume');
  expect([event.result, event.details?.split(':')[0]]).toEqual(['Error', 'volume-not-attached']);
});

const NEW_SERVER = { name: 'vm', flavorRef: '1', imageRef: IMAGE, networks: 'none' };
const volumeDevice = () => ({ source_type: 'volume', destination_type: 'volume', boot_index: -1, uuid: free });
const imageDevice = { source_type: 'image', destination_type: 'local', boot_index: 0, uuid: IMAGE };
it.each<[string, () => object, number, string]>([
  ['a name with NUL', () => ({ name: `v${NUL}m` }), 400, 'badRequest'],
  ['a name with a lone surrogate', () => ({ name: LONE_SURROGATE }), 400, 'badRequest'],
  ['a description with NUL', () => ({ description: NUL }), 400, 'badRequest'],
  ['a description with a lone surrogate', () => ({ description: LONE_SURROGATE }), 400, 'badRequest'],
  ['a flavor with a lone surrogate', () => ({ flavorRef: LONE_SURROGATE }), 400, 'badRequest'],
  ['a flavor with NUL', () => ({ flavorRef: NUL }), 400, 'badRequest'],
  ['an unknown flavor', () => ({ flavorRef: 'nope' }), 400, 'badRequest'],
  ['an unknown image', () => ({ imageRef: NO_SUCH_ID }), 400, 'badRequest'],
  ['an image in the form of a path', () => ({ imageRef: '../../etc/passwd' }), 400, 'badRequest'],
  ['a host', () => ({ host: 'host-1' }), 403, 'forbidden'],
  ['a host in the zone', () => ({ availability_zone: 'nova:host-1' }), 403, 'forbidden'],
  ['a flavor without a disk', () => ({ flavorRef: '42' }), 403, 'forbidden'],
  [
    'a volume twice',
    () => ({ block_device_mapping_v2: [imageDevice, volumeDevice(), volumeDevice()] }),
    400,
    'badRequest',
  ],
  [
    'an unknown volume after a good one',
    () => ({ block_device_mapping_v2: [imageDevice, volumeDevice(), { ...volumeDevice(), uuid: NO_SUCH_ID }] }),
    400,
    'badRequest',
  ],
  [
    'a volume that is in use after a good one',
    () => ({ block_device_mapping_v2: [imageDevice, volumeDevice(), { ...volumeDevice(), uuid: attached }] }),
    400,
    'badRequest',
  ],
  [
    'a volume to boot from that is not bootable',
    () => ({ imageRef: '', block_device_mapping_v2: [{ ...volumeDevice(), boot_index: 0 }] }),
    400,
    'badRequest',
  ],
])('a server with %s is refused, and nothing is written or reserved', async (_, fields, status, key) => {
  await refused('POST', '/servers', { body: { server: { ...NEW_SERVER, ...fields() } } }, status, key);
});

it.each([NUL, LONE_SURROGATE])('what Postgres cannot hold of metadata (%j) is replaced', async (text) => {
  const answer = await novella.requestServer({ imageRef: IMAGE, metadata: { a: text } });
  expect(answer.status).toBe(202);
  const shown = await novella.untilServer(answer.json.server.id, 'ACTIVE');
  expect(shown.metadata).toEqual({ a: '\ufffd' });
  await novella.deleteServer(shown.id);
});

const attachment = (fields: object) => ({ body: { volumeAttachment: { volumeId: free, ...fields } } });
it.each<[string, () => Ask, number, string]>([
  ['no body', () => ({}), 400, 'badRequest'],
  ['no volume', () => attachment({ volumeId: undefined }), 400, 'badRequest'],
  ['a volume that is no uuid', () => attachment({ volumeId: 'vol' }), 400, 'badRequest'],
  ['an unknown volume', () => attachment({ volumeId: NO_SUCH_ID }), 404, 'itemNotFound'],
  ['the volume that it has', () => attachment({ volumeId: attached }), 400, 'badRequest'],
  ['a device that is no path', () => attachment({ device: 'vdz' }), 400, 'badRequest'],
  ['a device that climbs', () => attachment({ device: '/dev/../etc/x' }), 400, 'badRequest'],
  ['the device of the root disk', () => attachment({ device: '/dev/vda' }), 409, 'conflictingRequest'],
  ['a tag with a comma', () => attachment({ tag: 'a,b' }), 400, 'badRequest'],
  ['a tag that is too long', () => attachment({ tag: 'x'.repeat(61) }), 400, 'badRequest'],
  ['a tag before its microversion', () => ({ version: '2.48', ...attachment({ tag: 'a' }) }), 400, 'badRequest'],
  ['another project', () => ({ as: STRANGER, ...attachment({}) }), 404, 'itemNotFound'],
])('an attachment with %s is refused, and nothing is written or reserved', async (_, ask, status, key) => {
  await refused('POST', `/servers/${server}/os-volume_attachments`, ask(), status, key);
});

it.each<[string, string, number, string]>([
  ['GET', '/servers/nope', 404, 'itemNotFound'],
  ['GET', `/servers/${NO_SUCH_ID}`, 404, 'itemNotFound'],
  ['DELETE', `/servers/${NO_SUCH_ID}`, 404, 'itemNotFound'],
  ['DELETE', '/servers/%00', 404, 'itemNotFound'],
  ['GET', '/servers?limit=-1', 400, 'badRequest'],
  ['GET', '/servers?marker=nope', 400, 'badRequest'],
  ['GET', '/servers?marker=%00', 400, 'badRequest'],
  ['GET', '/servers?status=SLEEPY', 400, 'badRequest'],
  ['GET', '/servers?color=red', 400, 'badRequest'],
  ['GET', '/servers?all_tenants=1', 403, 'forbidden'],
  ['GET', '/servers?changes-since=yesterday', 400, 'badRequest'],
  ['GET', `/servers/${NO_SUCH_ID}/os-volume_attachments`, 404, 'itemNotFound'],
  ['GET', '/servers/SERVER/os-volume_attachments/nope', 404, 'itemNotFound'],
  ['GET', '/servers/SERVER/os-volume_attachments?limit=x', 400, 'badRequest'],
  ['GET', '/servers/SERVER/os-instance-actions/nope', 404, 'itemNotFound'],
  ['GET', '/servers/SERVER/os-instance-actions/%00', 404, 'itemNotFound'],
  ['GET', '/servers/SERVER/os-instance-actions?marker=nope', 400, 'badRequest'],
  ['GET', '/servers/SERVER/os-instance-actions?limit=x', 400, 'badRequest'],
  ['GET', '/flavors/nope', 404, 'itemNotFound'],
  ['GET', '/flavors/%00', 404, 'itemNotFound'],
  ['GET', '/flavors?marker=nope', 400, 'badRequest'],
])('%s %s is answered %i %s', async (method, path, status, key) => {
  await refused(method, path.replace('SERVER', server), {}, status, key);
});

it.each([
  ['the name', 'name=%00'],
  ['the name', 'name=%25'],
  ['the host', 'host=%00'],
  ['the project', 'all_tenants=1&project_id=%00'],
])('NUL or a wildcard in %s of a list selects nothing', async (_, query) => {
  const { status, text } = await novella.nova('GET', `/servers?${query}`, { as: ADMIN });
  expect([status, text]).toEqual([200, '{"servers":[]}']);
});

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
it.each<[string, string]>([
  ['a user with quotes', `"o'brien":${'d'.repeat(31)}`],
  ['a user of 255 characters', `${'u'.repeat(255)}:${'e'.repeat(31)}`],
  ['a project of 255 characters', `bob:${'p'.repeat(255)}`],
  ['a token of colons', '::::'],
  ['a project that is no ASCII', 'bob:\u00e9'],
])('%s sees and makes its own servers only', async (_, as) => {
  expect((await novella.nova('GET', '/servers', { as })).text).toBe('{"servers":[]}');
  const made = await novella.requestServer({ imageRef: IMAGE }, { as });
  expect(made.status).toBe(202);
  await novella.untilServer(made.json.server.id, 'ACTIVE');
  const { servers } = (await novella.nova('GET', '/servers', { as })).json;
  expect(servers.map(({ id }) => id)).toEqual([made.json.server.id]);
  expect((await novella.nova('GET', `/servers/${server}`, { as })).status).toBe(404);
  await novella.deleteServer(made.json.server.id);
});

it.each([
  ['project', `bob:${hex(4_000)}`],
  ['user', `${hex(4_000)}:bob`],
])('a %s whose name is longer than a record holds is 401', async (_, as) => {
  await refused('POST', '/servers', { as, body: { server: NEW_SERVER } }, 401, 'unauthorized');
});

it('a server that is being built takes no volume', async () => {
  const held = novella.virt.hangNext('createGuest');
  const { id } = (await novella.requestServer({ imageRef: IMAGE })).json.server;
  await held.reached;
  const answer = await novella.attach(id, free);
  held.release();
  expect([answer.status, faultKey(answer)]).toEqual([409, 'conflictingRequest']);
  await novella.untilServer(id, 'ACTIVE');
  await novella.deleteServer(id);
});

it('a deleted server is unknown to everybody but those who read its actions', async () => {
  const { id } = (await novella.requestServer({ imageRef: IMAGE })).json.server;
  await novella.untilServer(id, 'ACTIVE');
  await novella.deleteServer(id);
  await refused('POST', EVENTS, { as: ADMIN, body: { events: [novella.event(id, free)] } }, 404, 'itemNotFound');
  await refused('DELETE', `/servers/${id}`, {}, 404, 'itemNotFound');
  await refused('POST', `/servers/${id}/os-volume_attachments`, attachment({}), 404, 'itemNotFound');
  expect((await novella.actions(id, 'delete')).map(({ message }) => message)).toEqual([null]);
});

it('good and bad events of one POST are each answered by themselves, and only the good ones are written (rule 3.8a)', async () => {
  const before = await novella.rows();
  const events = [good(), novella.event(NO_SUCH_ID, attached), { name: 'volume-extended', server_uuid: server }];
  const { status, json } = await novella.postEvents(events);
  expect([status, json.events.map(({ code }) => code)]).toEqual([207, [200, 404, 400]]);
  expect((await novella.endedAction(server, 'extend_volume')).result).toBe('Success');
  const grown = async (table: string) => (await novella.rows())[table]!.length - before[table]!.length;
  // The event without a tag is recorded with its answer; the unknown server is not.
  expect([await grown('external_event'), await grown('instance_action'), await grown('operation')]).toEqual([2, 1, 1]);
});
