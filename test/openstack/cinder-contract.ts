import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type CinderClient, createCinderClient, noAuth, type Volume } from '@novella/cinder';
import {
  type ConnectionInfo,
  type Log,
  NovellaError,
  type ProjectId,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { eventsAnswer, type NovaRecorder, type RecordedRequest, startNovaRecorder } from './nova-recorder.js';
import { rawCinder, type RawCinder, until } from './raw-cinder.js';

/**
 * What Novella relies on in a Cinder, and how its users reach it. Runs alike on the real one and on cinder-dev, both
 * without Keystone.
 */
export interface CinderUnderTest {
  /** `http://host:port/v3` */
  readonly url: string;
  readonly project: string;
  /** Name of a volume type whose volumes may have several attachments. */
  readonly multiattachType: string;
  /** False for the real Cinder: without Keystone it cannot tell a service's request from a user's and answers 500. */
  readonly canDeleteConnectedAttachments: boolean;
  close(): Promise<void>;
}

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const newServer = () => randomUUID() as ServerId;
const CONNECTOR = { host: 'compute-1', ip: '127.0.0.1', platform: 'x86_64', os_type: 'linux', multipath: false };
const GIB = 2 ** 30;

export function cinderContract(name: string, open: (novaEndpoint: string) => Promise<CinderUnderTest>): void {
  describe(`Cinder's contract: ${name}`, () => {
    const context = {} as Context;
    beforeAll(async () => {
      context.nova = await startNovaRecorder();
      context.cinder = await open(context.nova.endpoint);
      const { url, project } = context.cinder;
      context.raw = rawCinder(url, project);
      context.client = createCinderClient({
        endpoint: url,
        auth: noAuth('nova', project as ProjectId),
        log: quiet,
      });
    }, 180_000);
    beforeEach(() => context.nova.reset());
    afterAll(async () => {
      await context.client.close();
      await context.cinder.close();
      await context.nova.close();
    }, 60_000);

    describe('volumes', () => volumeCases(context));
    describe('lists', () => listCases(context));
    describe('attachments', () => attachmentCases(context));
    describe('detaching', () => detachCases(context));
    describe('extend', () => extendCases(context));
    describe('what Nova answers', () => novaAnswerCases(context));
    describe('refusals', () => refusalCases(context));
  });
}

interface Context {
  nova: NovaRecorder;
  cinder: CinderUnderTest;
  raw: RawCinder;
  client: CinderClient;
}

async function createVolume({ raw, client }: Context, more: object = {}, by: RawCinder = raw): Promise<Volume> {
  const created = await by.call('POST', '/volumes', { body: { volume: { size: 1, name: 'contract', ...more } } });
  expect(created).toMatchObject({ status: 202, body: { volume: { status: 'creating' } } });
  const { id } = (created.body as { volume: { id: VolumeId } }).volume;
  return until(
    () => client.getVolume(id),
    ({ status }) => status === 'available',
  );
}

async function attach({ client }: Context, volume: VolumeId, server = newServer(), host = 'compute-1') {
  const { id } = await client.createAttachment(volume, server);
  const { connection } = await client.updateAttachment(id, { ...CONNECTOR, host, mountpoint: '/dev/vdb' });
  await client.completeAttachment(id);
  return { id, server, connection };
}

const extend = ({ raw }: Context, volume: VolumeId, newSize: unknown, microversion = '3.42') =>
  raw.call('POST', `/volumes/${volume}/action`, { body: { 'os-extend': { new_size: newSize } }, microversion });

async function extended(context: Context, volume: VolumeId, size: number): Promise<Volume> {
  return until(
    () => context.client.getVolume(volume),
    (seen) => seen.status !== 'extending' && (seen.size as number) === size,
  );
}

const pathOf = (connection: ConnectionInfo): string => {
  if (connection.protocol !== 'local') throw new Error(`a volume of type ${connection.protocol}`);
  return connection.devicePath;
};
const eventsOf = (request: RecordedRequest) => (JSON.parse(request.body) as { events: object[] }).events;
const told = ({ nova }: Context, count = 1) =>
  until(
    () => nova.requests,
    ({ length }) => length >= count,
  );

async function messagesOf({ raw }: Context, volume: VolumeId) {
  const { body } = await raw.call('GET', `/messages?resource_uuid=${volume}`, { microversion: '3.5' });
  return (body as { messages: { event_id: string }[] }).messages.map((message) => message.event_id);
}

async function refusal(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof NovellaError)) throw new Error(`not refused, but ${String(error)}`);
  return { code: error.code, status: error.facts['status'] };
}

function volumeCases(context: Context): void {
  it('goes from creating to available with the size that was asked for', async () => {
    const volume = await createVolume(context, { size: 2, metadata: { use: 'test' } });
    expect(volume).toMatchObject({ size: 2, multiattach: false, bootable: false, encrypted: false, attachments: [] });
    expect(volume.metadata).toEqual({ use: 'test' });
  });

  it('shows the same fields of a volume', async () => {
    const { id } = await createVolume(context);
    const { body } = await context.raw.call('GET', `/volumes/${id}`, { microversion: '3.0' });
    expect(Object.keys((body as { volume: object }).volume).sort()).toEqual(VOLUME_FIELDS);
  });

  it('deletes an available volume, after the answer; deleting what is gone is no error', async () => {
    const { id } = await createVolume(context);
    await context.client.deleteVolume(id);
    const gone = await until(
      () => refusal(context.client.getVolume(id)).catch(() => null),
      (seen) => seen !== null,
    );
    expect(gone).toMatchObject({ code: 'volume-not-found' });
    await context.client.deleteVolume(id);
  });

  it('refuses to delete a volume in use', async () => {
    const { id } = await createVolume(context);
    await attach(context, id);
    expect(await refusal(context.client.deleteVolume(id))).toEqual({ code: 'cinder-refused', status: 400 });
    expect(await context.client.getVolume(id)).toMatchObject({ status: 'in-use' });
  });
}

function listCases(context: Context): void {
  it('pages through the volumes of a status, each once', async () => {
    const made = [await createVolume(context), await createVolume(context), await createVolume(context)];
    const seen: string[] = [];
    let marker: VolumeId | null = null;
    do {
      const query = { limit: 2, status: 'available', allProjects: true };
      const page = await context.client.listVolumesDetail(marker === null ? query : { ...query, marker });
      expect(page.volumes.every(({ status }) => status === 'available')).toBe(true);
      seen.push(...page.volumes.map(({ id }) => id));
      marker = page.next;
    } while (marker !== null);
    expect(seen).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("lists another project's volumes only when all projects are asked for", async () => {
    const other = rawCinder(context.cinder.url, 'e'.repeat(32));
    const { id } = await createVolume(context, {}, other);
    const own = await context.client.listVolumesDetail({ limit: 500 });
    const all = await context.client.listVolumesDetail({ limit: 500, allProjects: true });
    expect(own.volumes.map((volume) => volume.id)).not.toContain(id);
    expect(all.volumes.map((volume) => volume.id)).toContain(id);
  });

  it('shows the sizes of volumes in use with their servers', async () => {
    const { id } = await createVolume(context);
    const { server } = await attach(context, id);
    const { volumes } = await context.client.listVolumesDetail({ limit: 500, status: 'in-use', allProjects: true });
    expect(volumes.find((volume) => volume.id === id)).toMatchObject({ size: 1, attachments: [{ server }] });
  });

  it.each(['limit=x', 'limit=-1', `marker=${randomUUID()}`])('refuses to list with %s', async (query) => {
    const { status } = await context.raw.call('GET', `/volumes/detail?${query}`);
    expect(status).toBe(query.startsWith('marker') ? 404 : 400);
  });
}

function attachmentCases(context: Context): void {
  it('goes reserved, attaching, in-use, with the connection from attaching on', async () => {
    const { client } = context;
    const server = newServer();
    const { id: volume } = await createVolume(context);

    const attachment = await client.createAttachment(volume, server);
    expect(attachment).toMatchObject({ status: 'reserved', server, volume });
    expect(await client.getVolume(volume)).toMatchObject({ status: 'reserved', attachments: [] });
    expect(await client.getAttachment(attachment.id)).toMatchObject({ status: 'reserved', connection: null });

    const { connection, secret } = await client.updateAttachment(attachment.id, {
      ...CONNECTOR,
      mountpoint: '/dev/vdc',
    });
    expect(connection).toMatchObject({ protocol: 'local', format: 'raw', accessMode: 'rw', encrypted: false });
    expect(secret).toBeNull();
    expect((await stat(pathOf(connection))).size).toBe(GIB);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'attaching', attachments: [] });
    expect(await client.getAttachment(attachment.id)).toMatchObject({ status: 'attaching', connection });

    await client.completeAttachment(attachment.id);
    expect(await client.getAttachment(attachment.id)).toMatchObject({ status: 'attached', connection });
    const inUse = await client.getVolume(volume);
    expect(inUse.status).toBe('in-use');
    expect(inUse.attachments).toEqual([{ id: attachment.id, server, device: '/dev/vdc' }]);
  });

  it('may be told the connector and the completion twice', async () => {
    const { id: volume } = await createVolume(context);
    const { id, connection } = await attach(context, volume);
    expect((await context.client.updateAttachment(id, CONNECTOR)).connection).toEqual(connection);
    await context.client.completeAttachment(id);
    await context.client.completeAttachment(id);
    expect(await context.client.getVolume(volume)).toMatchObject({ status: 'in-use' });
  });

  it('finds the attachments of a volume to a server, whatever their state', async () => {
    const { client } = context;
    const { id: volume } = await createVolume(context);
    const server = newServer();
    expect(await client.findAttachments(volume, server)).toEqual([]);
    const { id } = await client.createAttachment(volume, server);
    expect(await client.findAttachments(volume, server)).toMatchObject([{ id, status: 'reserved' }]);
    expect(await client.findAttachments(volume, newServer())).toEqual([]);
  });

  it('keeps a volume for the server that has reserved it; the same server may attach again', async () => {
    const { client } = context;
    const { id: volume } = await createVolume(context);
    const server = newServer();
    await client.createAttachment(volume, server);
    expect(await refusal(client.createAttachment(volume, newServer()))).toEqual({
      code: 'cinder-refused',
      status: 400,
    });
    await client.createAttachment(volume, server);
    expect(await client.findAttachments(volume, server)).toHaveLength(2);
  });

  it('gives a volume of a multiattach type to several servers', async () => {
    const { client, cinder } = context;
    const { id: volume, multiattach } = await createVolume(context, { volume_type: cinder.multiattachType });
    expect(multiattach).toBe(true);
    const first = await attach(context, volume);
    const second = await attach(context, volume, newServer(), 'compute-2');
    const { status, attachments } = await client.getVolume(volume);
    expect(status).toBe('in-use');
    expect(attachments.map((each) => each.server).sort()).toEqual([first.server, second.server].sort());
  });

  it('frees the volume when a reservation is deleted; deleting what is gone is no error', async () => {
    const { client } = context;
    const { id: volume } = await createVolume(context);
    const { id } = await client.createAttachment(volume, newServer());
    await client.deleteAttachment(id);
    expect(await client.getAttachment(id)).toBeNull();
    expect(await client.getVolume(volume)).toMatchObject({ status: 'available' });
    await client.deleteAttachment(id);
  });

  it('frees the volume when an attachment in use is deleted, where that can be tested', async () => {
    const { client, cinder } = context;
    const { id: volume } = await createVolume(context);
    const { id } = await attach(context, volume);
    if (!cinder.canDeleteConnectedAttachments) {
      expect(await refusal(client.deleteAttachment(id))).toEqual({ code: 'cinder-unreachable', status: 500 });
      return;
    }
    await client.deleteAttachment(id);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'available', attachments: [] });
  });
}

function detachCases(context: Context): void {
  const refused = { code: 'cinder-refused', status: 400 };

  it('begins once: in-use becomes detaching, for one of many', async () => {
    const { client } = context;
    const { id: volume } = await createVolume(context);
    await attach(context, volume);
    const begun = await Promise.allSettled([1, 2, 3].map(() => client.beginDetaching(volume)));
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'detaching' });
    expect(await refusal(client.beginDetaching(volume))).toEqual(refused);
  });

  it('rolls back to in-use; what is not detaching is left alone', async () => {
    const { client } = context;
    const { id: volume } = await createVolume(context);
    await client.rollDetaching(volume);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'available' });
    await attach(context, volume);
    await client.rollDetaching(volume);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'in-use' });
    await client.beginDetaching(volume);
    await client.rollDetaching(volume);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'in-use' });
  });

  it('does not begin for a volume that is free, reserved, or gone', async () => {
    const { client } = context;
    const { id: volume } = await createVolume(context);
    expect(await refusal(client.beginDetaching(volume))).toEqual(refused);
    await client.createAttachment(volume, newServer());
    expect(await refusal(client.beginDetaching(volume))).toEqual(refused);
    const gone = randomUUID() as VolumeId;
    expect(await refusal(client.beginDetaching(gone))).toMatchObject({ code: 'volume-not-found' });
    expect(await refusal(client.rollDetaching(gone))).toMatchObject({ code: 'volume-not-found' });
  });

  it('grows no volume that is detaching', async () => {
    const { id: volume } = await createVolume(context);
    await attach(context, volume);
    await context.client.beginDetaching(volume);
    expect((await extend(context, volume, 2)).status).toBe(400);
    expect(context.nova.requests).toEqual([]);
  });

  it('leaves a multiattach volume with the other server, where that can be tested', async () => {
    const { client, cinder } = context;
    if (!cinder.canDeleteConnectedAttachments) return;
    const { id: volume } = await createVolume(context, { volume_type: cinder.multiattachType });
    const first = await attach(context, volume);
    const second = await attach(context, volume, newServer(), 'compute-2');
    await client.beginDetaching(volume);
    await client.deleteAttachment(first.id);
    expect(await client.getVolume(volume)).toMatchObject({
      status: 'in-use',
      attachments: [{ id: second.id, server: second.server }],
    });
    await client.beginDetaching(volume);
    await client.deleteAttachment(second.id);
    expect(await client.getVolume(volume)).toMatchObject({ status: 'available', attachments: [] });
  });
}

function extendCases(context: Context): void {
  it('grows a volume in use, shows the new size, then tells Nova: once, in exactly this form', async () => {
    const { nova, client } = context;
    const { id: volume } = await createVolume(context);
    const { server, connection } = await attach(context, volume);
    const seenAtEvent: Volume[] = [];
    nova.answer = async (request) => {
      seenAtEvent.push(await client.getVolume(volume));
      return eventsAnswer(request);
    };

    const answer = await extend(context, volume, 3);
    expect(answer).toMatchObject({ status: 202, body: null });
    await until(
      () => seenAtEvent,
      ({ length }) => length > 0,
    );
    expect(seenAtEvent).toMatchObject([{ size: 3, status: 'in-use' }]);
    expect((await stat(pathOf(connection))).size).toBe(3 * GIB);

    const [request] = nova.requests;
    expect(request).toMatchObject({
      method: 'POST',
      path: '/v2.1/os-server-external-events',
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        'x-openstack-nova-api-version': '2.51',
        'openstack-api-version': 'compute 2.51',
        'x-openstack-request-id': answer.headers['x-compute-request-id'],
      },
    });
    expect(request?.headers['x-auth-token']).toEqual(expect.any(String));
    expect(JSON.parse(request!.body)).toEqual({
      events: [{ name: 'volume-extended', server_uuid: server, tag: volume }],
    });
    expect(await extended(context, volume, 3)).toMatchObject({ status: 'in-use' });
    expect(await messagesOf(context, volume)).toEqual([]);
    expect(nova.requests).toHaveLength(1);
  });

  it('tells Nova of all servers of a multiattach volume in one request', async () => {
    const { id: volume } = await createVolume(context, { volume_type: context.cinder.multiattachType });
    const first = await attach(context, volume);
    const second = await attach(context, volume, newServer(), 'compute-2');
    await extend(context, volume, 2);
    const [request] = await told(context);
    expect(eventsOf(request!)).toHaveLength(2);
    expect(eventsOf(request!)).toEqual(
      expect.arrayContaining(
        [first, second].map(({ server }) => ({ name: 'volume-extended', server_uuid: server, tag: volume })),
      ),
    );
  });

  it('grows an available volume and tells Nova nothing', async () => {
    const { id: volume } = await createVolume(context);
    expect((await extend(context, volume, '2')).status).toBe(202);
    expect(await extended(context, volume, 2)).toMatchObject({ status: 'available' });
    expect(context.nova.requests).toEqual([]);
  });

  it('refuses the completion of an extend that nobody awaits', async () => {
    const { id: volume } = await createVolume(context);
    await attach(context, volume);
    const refused = { code: 'cinder-refused', status: 400 };
    expect(await refusal(context.client.completeExtend(volume, false))).toEqual(refused);
    expect(await context.client.getVolume(volume)).toMatchObject({ size: 1, status: 'in-use' });
  });

  it('grows a volume in use only from 3.42 on', async () => {
    const { id: volume } = await createVolume(context);
    await attach(context, volume);
    const before = await extend(context, volume, 2, '3.41');
    expect(before).toMatchObject({ status: 400, body: { badRequest: { code: 400 } } });
    expect(await context.client.getVolume(volume)).toMatchObject({ size: 1, status: 'in-use' });
  });

  it('does not grow a reserved volume', async () => {
    const { id: volume } = await createVolume(context);
    await context.client.createAttachment(volume, newServer());
    expect((await extend(context, volume, 2)).status).toBe(400);
  });

  it.each([2, 1, 0, -1, 1.5, '', 'two', '2 ', true, null, [], {}, 2 ** 31])(
    'refuses the size %p for a volume of 2 GiB',
    async (size) => {
      const { id: volume } = await createVolume(context, { size: 2 });
      const { status, body } = await extend(context, volume, size);
      expect({ status, body }).toEqual({
        status: 400,
        body: { badRequest: { code: 400, message: expect.any(String) } },
      });
      expect(await context.client.getVolume(volume)).toMatchObject({ size: 2, status: 'available' });
    },
  );
}

function novaAnswerCases(context: Context): void {
  const message = 'VOLUME_VOLUME_007_009';
  it.each<[string, NovaRecorder['answer'], string[]]>([
    ['207, the event refused', (request) => eventsAnswer(request, 404), []],
    ['404 for all', () => ({ status: 404, body: { itemNotFound: { code: 404, message: 'none' } } }), [message]],
    ['500', () => ({ status: 500, body: { computeFault: { code: 500, message: 'no' } } }), [message]],
    ['an event without a code', () => ({ status: 200, body: { events: [{ name: 'volume-extended' }] } }), [message]],
    ['no list of events', () => ({ status: 200, body: { events: 'thanks' } }), [message]],
    ['nothing at all', () => 'hang-up', [message]],
  ])('%s: the volume keeps its size, and its user is told when Nova was not', async (_name, answer, messages) => {
    const { nova } = context;
    const { id: volume } = await createVolume(context);
    await attach(context, volume);
    nova.answer = answer;
    await extend(context, volume, 2);
    await told(context);
    expect(await extended(context, volume, 2)).toMatchObject({ status: 'in-use' });

    // A second extend that surely leaves a message: then the first one's, if any, is there as well.
    const before = nova.requests.length;
    nova.answer = () => 'hang-up';
    await extend(context, volume, 3);
    await told(context, before + 1);
    const left = [...messages, message];
    expect(
      await until(
        () => messagesOf(context, volume),
        ({ length }) => length >= left.length,
      ),
    ).toEqual(left);
  });
}

function refusalCases(context: Context): void {
  const fault = (status: number, name: string) => ({
    status,
    body: { [name]: { code: status, message: expect.any(String) } },
  });
  const seen = async (call: ReturnType<RawCinder['call']>) => {
    const { status, body } = await call;
    return { status, body };
  };

  it.each<[string, unknown]>([
    ['no volume', {}],
    ['volume is a text', { volume: 'big' }],
    ['volume is a list', { volume: [] }],
    ['no size', { volume: { name: 'x' } }],
    ['size zero', { volume: { size: 0 } }],
    ['a negative size', { volume: { size: -1 } }],
    ['half a GiB', { volume: { size: 0.5 } }],
    ['a size in words', { volume: { size: 'huge' } }],
    ['a key beside volume', { volume: { size: 1 }, more: true }],
    ['metadata that is a list', { volume: { size: 1, metadata: ['a'] } }],
    ['multiattach asked for by the volume', { volume: { size: 1, multiattach: true } }],
    ['a name that is a number', { volume: { size: 1, name: 7 } }],
  ])('400 for a volume with %s', async (_name, body) => {
    expect(await seen(context.raw.call('POST', '/volumes', { body }))).toEqual(fault(400, 'badRequest'));
  });

  it.each<[string, unknown]>([
    ['no attachment', {}],
    ['no volume', { attachment: {} }],
    ['a volume that is no uuid', { attachment: { volume_uuid: 'x' } }],
    ['a server that is no uuid', { attachment: { volume_uuid: randomUUID(), instance_uuid: 'x' } }],
    ['an unknown key', { attachment: { volume_uuid: randomUUID(), colour: 'red' } }],
    ['a connector that is a text', { attachment: { volume_uuid: randomUUID(), connector: 'x' } }],
    ['a mode before 3.54', { attachment: { volume_uuid: randomUUID(), mode: 'ro' } }],
  ])('400 for an attachment with %s', async (_name, body) => {
    expect(await seen(context.raw.call('POST', '/attachments', { body }))).toEqual(fault(400, 'badRequest'));
  });

  it('400 for a connector that says nothing', async () => {
    const { id: volume } = await createVolume(context);
    const { id } = await context.client.createAttachment(volume, newServer());
    for (const body of [
      {},
      { attachment: {} },
      { attachment: { connector: {} } },
      { attachment: { connector: null } },
    ]) {
      expect(await seen(context.raw.call('PUT', `/attachments/${id}`, { body }))).toEqual(fault(400, 'badRequest'));
    }
  });

  it.each(['{', '"text"', '{"os-extend": {"new_size": 2}, "os-reset_status": {}}', '{"os-fly": {}}'])(
    '400 for the action %s',
    async (text) => {
      const { id } = await createVolume(context);
      expect(await seen(context.raw.call('POST', `/volumes/${id}/action`, { text }))).toEqual(fault(400, 'badRequest'));
    },
  );

  it('404 that names what is missing', async () => {
    const { raw, client } = context;
    const id = randomUUID();
    expect(await seen(raw.call('GET', `/volumes/${id}`))).toEqual(fault(404, 'itemNotFound'));
    expect(await seen(raw.call('GET', `/attachments/${id}`))).toEqual(fault(404, 'itemNotFound'));
    expect(await refusal(client.getVolume(id as VolumeId))).toMatchObject({ code: 'volume-not-found' });
    const attaching = client.createAttachment(id as VolumeId, newServer());
    expect(await refusal(attaching)).toMatchObject({ code: 'volume-not-found' });
    expect(await seen(raw.call('POST', '/volumes', { body: { volume: { size: 1, volume_type: 'gold' } } }))).toEqual(
      fault(404, 'itemNotFound'),
    );
  });

  it("400 when the URL's project is not the token's", async () => {
    const call = context.raw.call('GET', '/volumes', { urlProject: 'f'.repeat(32) });
    expect(await seen(call)).toEqual(fault(400, 'badRequest'));
  });

  it('has attachments from 3.27 and their completion from 3.44', async () => {
    const { raw, client } = context;
    const { id: volume } = await createVolume(context);
    const { id } = await client.createAttachment(volume, newServer());
    const path = `/attachments/${id}`;
    expect((await raw.call('GET', path, { microversion: '3.26' })).status).toBe(404);
    expect((await raw.call('GET', path, { microversion: null })).status).toBe(404);
    expect((await raw.call('GET', path, { microversion: '3.27' })).status).toBe(200);
    const complete = { body: { 'os-complete': {} }, microversion: '3.43' };
    expect((await raw.call('POST', `${path}/action`, complete)).status).toBe(404);
  });

  it('knows microversions: 400 for what is none, 406 for one that is out of range', async () => {
    const { raw } = context;
    expect(await seen(raw.call('GET', '/volumes', { microversion: 'new' }))).toEqual(fault(400, 'badRequest'));
    expect((await raw.call('GET', '/volumes', { microversion: '3.9999' })).status).toBe(406);
    const { headers } = await raw.call('GET', '/volumes', { microversion: '3.42' });
    expect(headers).toMatchObject({ 'openstack-api-version': 'volume 3.42', vary: 'OpenStack-API-Version' });
  });

  it('names its versions to whoever asks', async () => {
    const { url } = context.cinder;
    const root = await fetch(url.replace(/v3$/, ''), { headers: { accept: 'application/json' } });
    const below = await fetch(`${url}/`, { headers: { accept: 'application/json', 'x-auth-token': 'a:b' } });
    expect([root.status, below.status]).toEqual([300, 200]);
    for (const answer of [root, below]) {
      expect(await answer.json()).toMatchObject({ versions: [{ id: 'v3.0', status: 'CURRENT', min_version: '3.0' }] });
    }
  });
}

const VOLUME_FIELDS = [
  'attachments',
  'availability_zone',
  'bootable',
  'consistencygroup_id',
  'created_at',
  'description',
  'encrypted',
  'id',
  'links',
  'metadata',
  'migration_status',
  'multiattach',
  'name',
  'os-vol-host-attr:host',
  'os-vol-mig-status-attr:migstat',
  'os-vol-mig-status-attr:name_id',
  'os-vol-tenant-attr:tenant_id',
  'replication_status',
  'size',
  'snapshot_id',
  'source_volid',
  'status',
  'updated_at',
  'user_id',
  'volume_type',
];
