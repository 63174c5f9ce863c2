import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type AttachmentId,
  type ErrorCode,
  type Log,
  millis,
  NovellaError,
  type ProjectId,
  seconds,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { type CinderClient, type CinderOptions, createCinderClient } from './client.js';
import type { CinderAuth } from './transport.js';
import {
  answer,
  answerAndHangUp,
  cutBody,
  fault,
  hangUp,
  headersThenSilence,
  notHttp,
  resetAfterHeaders,
  type ScriptedPeer,
  silence,
  startScriptedPeer,
  type Step,
  trickle,
} from '@novella/testing';

const VOLUME = '11111111-1111-4111-8111-111111111111' as VolumeId;
const OTHER_VOLUME = '11111111-1111-4111-8111-222222222222' as VolumeId;
const SERVER = '22222222-2222-4222-8222-222222222222' as ServerId;
const ATTACHMENT = '33333333-3333-4333-8333-333333333333' as AttachmentId;
const PROJECT = 'd'.repeat(32) as ProjectId;
const TOKEN = 'demo-user-secret-token';
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

const volumeBody = (more: object = {}, id: string = VOLUME) => ({
  id,
  name: null,
  status: 'in-use',
  size: 3,
  multiattach: false,
  bootable: 'false',
  encrypted: false,
  availability_zone: 'nova',
  metadata: { a: 'b' },
  attachments: [
    { attachment_id: ATTACHMENT, server_id: SERVER, volume_id: VOLUME, device: '/dev/vdb', host_name: null },
  ],
  links: [],
  ...more,
});
const attachmentBody = (more: object = {}) => ({
  id: ATTACHMENT,
  status: 'reserved',
  instance: SERVER,
  volume_id: VOLUME,
  attached_at: '',
  detached_at: '',
  attach_mode: 'null',
  connection_info: {},
  ...more,
});
const CONNECTION = { protocol: 'local', devicePath: '/dev/loop0', format: 'raw', accessMode: 'rw', encrypted: false };
const LOCAL = { driver_volume_type: 'local', device_path: '/dev/loop0', access_mode: 'rw', encrypted: false };

/** Credentials that cannot be renewed. */
const authOf = (token: string, project = PROJECT): CinderAuth => ({
  credentials: () => Promise.resolve({ project, headers: { 'X-Auth-Token': token } }),
  renewed: () => Promise.resolve(null),
});

let peer: ScriptedPeer;
let client: CinderClient;
const open = (options: Partial<CinderOptions> = {}) => {
  return createCinderClient({ endpoint: peer.endpoint, auth: authOf(TOKEN), log: quiet, ...options });
};
beforeEach(async () => {
  peer = await startScriptedPeer();
  client = open();
});
afterEach(async () => {
  await client.close();
  await peer.close();
});

/** What a call that must fail was refused with. */
async function failure(call: Promise<unknown>): Promise<NovellaError> {
  const thrown: unknown = await call.then(
    () => new Error('the call did not fail'),
    (error: unknown) => error,
  );
  if (thrown instanceof NovellaError) return thrown;
  throw thrown;
}
async function codeOf(call: Promise<unknown>): Promise<ErrorCode> {
  return (await failure(call)).code;
}

describe('what is sent', () => {
  it.each<{ name: string; call: () => Promise<unknown>; answers: Step; sent: object }>([
    {
      name: 'getVolume',
      call: () => client.getVolume(VOLUME),
      answers: answer(200, { volume: volumeBody() }),
      sent: { method: 'GET', path: `/v3/${PROJECT}/volumes/${VOLUME}`, body: '', microversion: 'volume 3.0' },
    },
    {
      name: 'createAttachment',
      call: () => client.createAttachment(VOLUME, SERVER),
      answers: answer(200, { attachment: attachmentBody() }),
      sent: {
        method: 'POST',
        path: `/v3/${PROJECT}/attachments`,
        body: JSON.stringify({ attachment: { volume_uuid: VOLUME, instance_uuid: SERVER } }),
        microversion: 'volume 3.44',
      },
    },
    {
      name: 'updateAttachment',
      call: () => client.updateAttachment(ATTACHMENT, { host: 'compute-1', multipath: false }),
      answers: answer(200, { attachment: attachmentBody({ connection_info: LOCAL }) }),
      sent: {
        method: 'PUT',
        path: `/v3/${PROJECT}/attachments/${ATTACHMENT}`,
        body: JSON.stringify({ attachment: { connector: { host: 'compute-1', multipath: false } } }),
        microversion: 'volume 3.27',
      },
    },
    {
      name: 'completeAttachment',
      call: () => client.completeAttachment(ATTACHMENT),
      answers: answer(204, undefined),
      sent: {
        method: 'POST',
        path: `/v3/${PROJECT}/attachments/${ATTACHMENT}/action`,
        body: '{"os-complete":{}}',
        microversion: 'volume 3.44',
      },
    },
    {
      name: 'deleteAttachment',
      call: () => client.deleteAttachment(ATTACHMENT),
      answers: answer(200, { attachments: [] }),
      sent: {
        method: 'DELETE',
        path: `/v3/${PROJECT}/attachments/${ATTACHMENT}`,
        body: '',
        microversion: 'volume 3.27',
      },
    },
    {
      name: 'getEncryption',
      call: () => client.getEncryption(VOLUME),
      answers: answer(200, { encryption_key_id: null }),
      sent: {
        method: 'GET',
        path: `/v3/${PROJECT}/volumes/${VOLUME}/encryption`,
        body: '',
        microversion: 'volume 3.0',
      },
    },
    {
      name: 'deleteVolume',
      call: () => client.deleteVolume(VOLUME),
      answers: answer(202, undefined),
      sent: { method: 'DELETE', path: `/v3/${PROJECT}/volumes/${VOLUME}`, body: '', microversion: 'volume 3.0' },
    },
    ...(
      [
        ['beginDetaching', () => client.beginDetaching(VOLUME), { 'os-begin_detaching': null }],
        ['rollDetaching', () => client.rollDetaching(VOLUME), { 'os-roll_detaching': null }],
        [
          'completeExtend',
          () => client.completeExtend(VOLUME, true),
          { 'os-extend_volume_completion': { error: true } },
        ],
      ] as const
    ).map(([name, call, body]) => ({
      name,
      call,
      answers: answer(202, undefined),
      sent: {
        method: 'POST',
        path: `/v3/${PROJECT}/volumes/${VOLUME}/action`,
        body: JSON.stringify(body),
        microversion: 'volume 3.0',
      },
    })),
    {
      name: 'findAttachments',
      call: () => client.findAttachments(VOLUME, SERVER),
      answers: answer(200, { attachments: [] }),
      sent: {
        method: 'GET',
        path: `/v3/${PROJECT}/attachments?volume_id=${VOLUME}&instance_id=${SERVER}&all_tenants=1`,
        body: '',
        microversion: 'volume 3.27',
      },
    },
  ])("$name asks in Cinder's form, with the lowest microversion that it needs", async ({ call, answers, sent }) => {
    peer.script(answers);
    await call();
    const [request] = peer.requests;
    const { method, path, body, headers } = request!;
    expect({ method, path, body, microversion: headers['openstack-api-version'] }).toEqual(sent);
    expect(headers['x-auth-token']).toBe(TOKEN);
  });

  it('acts for a user with their token and project, over the same connection', async () => {
    await client.close();
    client = open({ connections: 1 });
    peer.script(answer(200, { volume: volumeBody() }), answer(200, { volume: volumeBody() }));
    await client.getVolume(VOLUME);
    const project = 'e'.repeat(32) as ProjectId;
    await client.as(authOf('the-users-own', project)).getVolume(VOLUME);
    expect(peer.requests[1]).toMatchObject({
      path: `/v3/${project}/volumes/${VOLUME}`,
      headers: { 'x-auth-token': 'the-users-own' },
      connection: 1,
    });
  });

  it('asks for the credentials before each request, so that a token can be renewed', async () => {
    let asked = 0;
    await client.close();
    client = open({ auth: { ...authOf(''), credentials: () => authOf(`token-${++asked}`).credentials() } });
    peer.script(answer(200, { volume: volumeBody() }), answer(200, { volume: volumeBody() }));
    await client.getVolume(VOLUME);
    await client.getVolume(VOLUME);
    expect(peer.requests.map((request) => request.headers['x-auth-token'])).toEqual(['token-1', 'token-2']);
  });

  it('asks for the endpoint before each request, where it is not given', async () => {
    const paths = ['/volume/v3', '/cinder/v3/'];
    client = open({ endpoint: () => Promise.resolve(new URL(paths.shift() ?? '', peer.endpoint).href) });
    peer.script(answer(200, { volume: volumeBody() }), answer(200, { volume: volumeBody() }));
    await client.getVolume(VOLUME);
    await client.getVolume(VOLUME);
    expect(peer.requests.map((request) => request.path)).toEqual([
      `/volume/v3/${PROJECT}/volumes/${VOLUME}`,
      `/cinder/v3/${PROJECT}/volumes/${VOLUME}`,
    ]);
  });

  it('refuses an endpoint that is no http URL before it connects anywhere', () => {
    expect(() => open({ endpoint: 'amqp://127.0.0.1/v3' })).toThrow();
    expect(() => open({ endpoint: 'nowhere' })).toThrow();
  });
});

describe('what comes back', () => {
  it('reads a volume into our own types', async () => {
    peer.script(answer(200, { volume: volumeBody({ bootable: 'true' }) }));
    expect(await client.getVolume(VOLUME)).toEqual({
      id: VOLUME,
      name: '',
      status: 'in-use',
      size: 3,
      multiattach: false,
      bootable: true,
      encrypted: false,
      availabilityZone: 'nova',
      metadata: { a: 'b' },
      migrationStatus: null,
      imageMetadata: {},
      attachments: [{ id: ATTACHMENT, server: SERVER, device: '/dev/vdb' }],
    });
  });

  it.each([
    ['migrating', 'migrating'],
    ['', null],
    [null, null],
  ])('reads the migration status %j as %j', async (migration_status, migrationStatus) => {
    peer.script(answer(200, { volume: volumeBody({ migration_status }) }));
    expect(await client.getVolume(VOLUME)).toMatchObject({ migrationStatus });
  });

  it('reads the properties of the image that a volume was made of, those that are text', async () => {
    const volume_image_metadata = { hw_disk_bus: 'scsi', min_ram: '512', odd: { a: 1 } };
    peer.script(answer(200, { volume: volumeBody({ volume_image_metadata }) }));
    expect((await client.getVolume(VOLUME)).imageMetadata).toEqual({ hw_disk_bus: 'scsi', min_ram: '512' });
  });

  it('pages by the last volume while Cinder links a next page', async () => {
    const next = [{ rel: 'next', href: 'http://elsewhere/' }];
    peer.script(
      answer(200, { volumes: [volumeBody()], volumes_links: next }),
      answer(200, { volumes: [volumeBody({}, OTHER_VOLUME)] }),
    );
    const first = await client.listVolumesDetail({ limit: 1, status: 'in-use', allProjects: true });
    expect(first.next).toBe(VOLUME);
    const second = await client.listVolumesDetail({ limit: 1, marker: first.next! });
    expect(second).toMatchObject({ volumes: [{ id: OTHER_VOLUME }], next: null });
    expect(peer.requests.map((request) => request.path)).toEqual([
      `/v3/${PROJECT}/volumes/detail?limit=1&status=in-use&all_tenants=1`,
      `/v3/${PROJECT}/volumes/detail?limit=1&marker=${VOLUME}`,
    ]);
  });

  it('has no connection while an attachment is only reserved', async () => {
    peer.script(answer(200, { attachment: attachmentBody() }));
    expect(await client.getAttachment(ATTACHMENT)).toEqual({
      id: ATTACHMENT,
      status: 'reserved',
      server: SERVER,
      volume: VOLUME,
      connection: null,
      secret: null,
    });
  });

  it('reads the connection, and apart from it the secrets that come with it', async () => {
    peer.script(answer(200, { attachment: attachmentBody({ connection_info: { ...LOCAL, auth_password: 'chap' } }) }));
    expect(await client.getAttachment(ATTACHMENT)).toMatchObject({
      connection: CONNECTION,
      secret: { auth_password: 'chap' },
    });
  });

  it('splits what only the host may read from the connection that it was told', async () => {
    const secretly = attachmentBody({ connection_info: { ...LOCAL, auth_password: 'chap' } });
    peer.script(
      answer(200, { attachment: secretly }),
      answer(200, { attachment: attachmentBody({ connection_info: LOCAL }) }),
    );
    const connect = () => client.updateAttachment(ATTACHMENT, { host: 'compute-1' });
    expect(await connect()).toEqual({ connection: CONNECTION, secret: { auth_password: 'chap' } });
    expect(await connect()).toEqual({ connection: CONNECTION, secret: null });
  });

  it('finds only what was asked for, whatever a Cinder that ignores filters answers', async () => {
    const other = attachmentBody({ id: '33333333-3333-4333-8333-444444444444', volume_id: OTHER_VOLUME });
    peer.script(answer(200, { attachments: [attachmentBody(), other] }));
    expect(await client.findAttachments(VOLUME, SERVER)).toMatchObject([{ id: ATTACHMENT }]);
  });

  it('takes a missing attachment or volume as deleted already', async () => {
    peer.script(
      fault(404, 'itemNotFound', `Volume attachment could not be found with filter: attachment_id = ${ATTACHMENT}.`),
      fault(404, 'itemNotFound', `Volume ${VOLUME} could not be found.`),
      fault(404, 'itemNotFound', `Volume attachment could not be found with filter: attachment_id = ${ATTACHMENT}.`),
    );
    await client.deleteAttachment(ATTACHMENT);
    await client.deleteVolume(VOLUME);
    expect(await client.getAttachment(ATTACHMENT)).toBeNull();
  });

  it('says volume-not-found for an action on a volume that is gone', async () => {
    const gone = fault(404, 'itemNotFound', `Volume ${VOLUME} could not be found.`);
    peer.script(gone, gone, gone);
    expect(await codeOf(client.beginDetaching(VOLUME))).toBe('volume-not-found');
    expect(await codeOf(client.rollDetaching(VOLUME))).toBe('volume-not-found');
    expect(await codeOf(client.completeExtend(VOLUME, false))).toBe('volume-not-found');
  });

  it('says volume-not-found only when Cinder names the volume', async () => {
    const named = fault(404, 'itemNotFound', `Volume ${VOLUME} could not be found.`);
    peer.script(named, named, fault(404, 'itemNotFound', 'The resource could not be found.'));
    expect(await codeOf(client.getVolume(VOLUME))).toBe('volume-not-found');
    expect(await codeOf(client.createAttachment(VOLUME, SERVER))).toBe('volume-not-found');
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-answer-invalid');
  });

  it("never takes a stranger's 404 for a deleted attachment", async () => {
    peer.script(answer(404, '<html>not here</html>'), fault(404, 'itemNotFound', 'The resource could not be found.'));
    expect(await codeOf(client.deleteAttachment(ATTACHMENT))).toBe('cinder-answer-invalid');
    expect(await codeOf(client.deleteAttachment(ATTACHMENT))).toBe('cinder-answer-invalid');
  });
});

describe('credentials that Cinder refuses', () => {
  const unauthorized = fault(401, 'unauthorized', 'This server could not verify it.');
  const renewable = (...tokens: (string | null)[]): { auth: CinderAuth; refused: string[] } => {
    const refused: string[] = [];
    const of = (token: string) => ({ project: PROJECT, headers: { 'X-Auth-Token': token } });
    return {
      refused,
      auth: {
        credentials: () => Promise.resolve(of('token-of-before')),
        renewed({ headers }) {
          refused.push(headers['X-Auth-Token'] ?? '');
          const next = tokens.shift() ?? null;
          return Promise.resolve(next === null ? null : of(next));
        },
      },
    };
  };
  const tokensSeen = () => peer.requests.map(({ headers }) => headers['x-auth-token']);

  it('are renewed, and the call is made once more, also one that changes something', async () => {
    const { auth, refused } = renewable('token-of-now');
    client = open({ auth });
    peer.script(unauthorized, answer(200, { attachment: attachmentBody() }));
    expect((await client.createAttachment(VOLUME, SERVER)).id).toBe(ATTACHMENT);
    expect([tokensSeen(), refused]).toEqual([['token-of-before', 'token-of-now'], ['token-of-before']]);
  });

  it('are renewed once: a second refusal is the end, and shows neither token', async () => {
    const { auth } = renewable('token-of-now', 'token-of-later');
    client = open({ auth });
    peer.script(unauthorized, fault(401, 'unauthorized', 'What is token-of-now?'));
    const error = await failure(client.getVolume(VOLUME));
    expect(error).toMatchObject({ code: 'cinder-unauthorized', facts: { cinderMessage: 'What is ***?' } });
    expect(tokensSeen()).toEqual(['token-of-before', 'token-of-now']);
  });

  it('that cannot be renewed are refused for good', async () => {
    peer.script(unauthorized);
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-unauthorized');
    expect(peer.requests).toHaveLength(1);
  });

  it.each([
    ['the credentials', { auth: { ...authOf(TOKEN), credentials: () => Promise.reject(lost()) } }],
    ['the address', { endpoint: () => Promise.reject(lost()) }],
  ])('or that are not to be had are as good as a Cinder that is away: %s', async (_, options) => {
    client = open(options);
    const error = await failure(client.createAttachment(VOLUME, SERVER));
    expect(error).toMatchObject({ code: 'cinder-unreachable', facts: { reason: 'keystone-unreachable' } });
    expect(error.cause).toMatchObject({ code: 'keystone-unreachable' });
    expect(peer.requests).toEqual([]);
  });

  it('are as good as an absent Cinder when the newer ones are not to be had', async () => {
    client = open({ auth: { ...authOf(TOKEN), renewed: () => Promise.reject(lost()) } });
    peer.script(unauthorized);
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-unreachable');
  });

  const lost = () => new NovellaError('keystone-unreachable', 'Keystone is away');
});

describe('what Cinder refuses', () => {
  it.each<[number, string, ErrorCode]>([
    [400, 'badRequest', 'cinder-refused'],
    [401, 'unauthorized', 'cinder-unauthorized'],
    [403, 'forbidden', 'cinder-unauthorized'],
    [406, 'computeFault', 'cinder-refused'],
    [409, 'conflictingRequest', 'cinder-refused'],
    [413, 'overLimit', 'cinder-refused'],
    [429, 'overLimit', 'cinder-unreachable'],
    [500, 'computeFault', 'cinder-unreachable'],
    [503, 'serviceUnavailable', 'cinder-unreachable'],
  ])('%i is graded by what a retry can do', async (status, name, code) => {
    peer.script(fault(status, name, 'what Cinder says'));
    const error = await failure(client.createAttachment(VOLUME, SERVER));
    expect(error).toMatchObject({
      code,
      facts: { call: 'createAttachment', status, cinderMessage: 'what Cinder says' },
    });
  });

  it("keeps Retry-After and Cinder's request id for whoever judges the error", async () => {
    peer.script(fault(413, 'overLimit', 'quota', { 'retry-after': '7', 'x-openstack-request-id': 'req-1' }));
    const { facts } = await failure(client.deleteVolume(VOLUME));
    expect(facts).toMatchObject({ status: 413, retryAfterS: 7, cinderRequest: 'req-1' });
  });

  it('never lets a token into an error, even when Cinder echoes it', async () => {
    peer.script(
      fault(400, 'badRequest', `bad header X-Auth-Token: ${TOKEN}`),
      hangUp,
      answer(200, `{"token": "${TOKEN}"`),
    );
    const errors = [
      await failure(client.deleteVolume(VOLUME)),
      await failure(client.deleteVolume(VOLUME)),
      await failure(client.getVolume(VOLUME)),
    ];
    for (const error of errors) {
      expect(JSON.stringify([error.message, error.facts, String(error.cause)])).not.toContain(TOKEN);
    }
  });
});

describe('a peer that is not well', () => {
  const short = { headersTimeout: millis(50), bodyTimeout: millis(50), totalTimeout: seconds(20) };
  const reopen = async (options: Partial<CinderOptions>) => {
    await client.close();
    client = open(options);
  };

  it('nobody listens', async () => {
    await reopen({ endpoint: 'http://127.0.0.1:9/v3' });
    const error = await failure(client.getVolume(VOLUME));
    expect(error).toMatchObject({ code: 'cinder-unreachable', facts: { reason: 'ECONNREFUSED' } });
  });

  it('no headers in time', async () => {
    await reopen(short);
    peer.script(silence);
    const error = await failure(client.getVolume(VOLUME));
    expect(error).toMatchObject({ code: 'cinder-unreachable', facts: { reason: 'UND_ERR_HEADERS_TIMEOUT' } });
  });

  it('headers, then nothing', async () => {
    await reopen(short);
    peer.script(headersThenSilence);
    const error = await failure(client.getVolume(VOLUME));
    expect(error).toMatchObject({ code: 'cinder-unreachable', facts: { reason: 'UND_ERR_BODY_TIMEOUT' } });
  });

  it('a body that never ends, in small pieces', async () => {
    await reopen({ totalTimeout: millis(200) });
    peer.script(trickle);
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-unreachable');
  });

  it.each([
    ['reset after the headers', resetAfterHeaders],
    ['a body shorter than announced', cutBody],
    ['hung up', hangUp],
  ])('%s: a change is tried once only, as it may have happened', async (_name, step) => {
    peer.script(step, answer(200, { attachment: attachmentBody() }));
    expect(await codeOf(client.createAttachment(VOLUME, SERVER))).toBe('cinder-unreachable');
    expect(peer.requests).toHaveLength(1);
  });

  it('hung up on a read: read again, once', async () => {
    peer.script(hangUp, answer(200, { volume: volumeBody() }), hangUp, hangUp);
    expect(await client.getVolume(VOLUME)).toMatchObject({ id: VOLUME });
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-unreachable');
    expect(peer.requests).toHaveLength(4);
  });

  it('a kept connection closed between two calls is replaced without an error', async () => {
    peer.script(answerAndHangUp(200, { attachments: [] }), answer(204, undefined));
    await client.deleteAttachment(ATTACHMENT);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.completeAttachment(ATTACHMENT);
    expect(peer.requests.map((request) => request.connection)).toEqual([1, 2]);
  });

  it.each<[string, Step]>([
    ['no JSON', answer(200, 'It works!')],
    ['no volume', answer(200, {})],
    ['null', answer(200, 'null')],
    ['an empty body', answer(200, undefined)],
    ['a size that is no count', answer(200, { volume: volumeBody({ size: -1 }) })],
    ['a size in words', answer(200, { volume: volumeBody({ size: '3' }) })],
    ['an id that is no uuid', answer(200, { volume: volumeBody({}, '../../etc') })],
    ['a list of versions', answer(300, { versions: [] })],
    ['a redirect', answer(302, undefined, { location: 'http://127.0.0.1:9/' })],
    ['an unknown fault body', answer(400, { error: 'no' })],
    ['another protocol', notHttp],
  ])('%s is an invalid answer', async (_name, step) => {
    peer.script(step);
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-answer-invalid');
  });

  const OTHER = '99999999-9999-4999-8999-999999999999';
  it.each<[string, () => Promise<unknown>, Step]>([
    ['the volume', () => client.getVolume(VOLUME), answer(200, { volume: volumeBody({}, OTHER) })],
    [
      'the attachment',
      () => client.getAttachment(ATTACHMENT),
      answer(200, { attachment: attachmentBody({ id: OTHER }) }),
    ],
    [
      'the attachment that was updated',
      () => client.updateAttachment(ATTACHMENT, { host: 'compute-1' }),
      answer(200, { attachment: attachmentBody({ id: OTHER, connection_info: LOCAL }) }),
    ],
    [
      'the volume that was reserved',
      () => client.createAttachment(VOLUME, SERVER),
      answer(200, { attachment: attachmentBody({ volume_id: OTHER }) }),
    ],
    [
      'the server that it was reserved for',
      () => client.createAttachment(VOLUME, SERVER),
      answer(200, { attachment: attachmentBody({ instance: OTHER }) }),
    ],
  ])('an answer that is not about %s is invalid', async (_what, call, step) => {
    peer.script(step);
    expect(await codeOf(call())).toBe('cinder-answer-invalid');
  });

  it.each<[string, () => Promise<unknown>]>([
    ['deleteVolume', () => client.deleteVolume(VOLUME)],
    ['beginDetaching', () => client.beginDetaching(VOLUME)],
    ['rollDetaching', () => client.rollDetaching(VOLUME)],
    ['completeExtend', () => client.completeExtend(VOLUME, false)],
    ['completeAttachment', () => client.completeAttachment(ATTACHMENT)],
    ['deleteAttachment', () => client.deleteAttachment(ATTACHMENT)],
  ])('JSON that Cinder never answers to %s is not taken as done', async (_name, call) => {
    peer.script(answer(200, { status: 'ok' }));
    expect(await codeOf(call())).toBe('cinder-answer-invalid');
  });

  it.each([
    [
      // As Cinder 21 answers for a volume of a type that encrypts, and for one of another.
      {
        encryption_key_id: '00000000-0000-0000-0000-000000000000',
        control_location: 'front-end',
        cipher: 'aes-xts-plain64',
        key_size: 256,
        provider: 'luks',
      },
      {
        keyId: '00000000-0000-0000-0000-000000000000',
        controlLocation: 'front-end',
        cipher: 'aes-xts-plain64',
        keySize: 256,
        provider: 'luks',
      },
    ],
    [
      { encryption_key_id: null },
      { keyId: null, controlLocation: 'front-end', cipher: null, keySize: null, provider: null },
    ],
  ])('how a volume is encrypted is read from %j', async (body, encryption) => {
    peer.script(answer(200, body));
    expect(await client.getEncryption(VOLUME)).toEqual(encryption);
  });

  it('what says nothing of an encryption is no answer about one', async () => {
    peer.script(answer(200, { provider: 'luks' }));
    expect(await codeOf(client.getEncryption(VOLUME))).toBe('cinder-answer-invalid');
  });

  it('an answer larger than accepted is not read', async () => {
    await reopen({ maxAnswerBytes: 1000 });
    peer.script(answer(200, { volume: volumeBody({ metadata: { big: 'x'.repeat(100_000) } }) }));
    expect(await codeOf(client.getVolume(VOLUME))).toBe('cinder-answer-invalid');
  });

  it('a connection of a type that no host can open is said as such', async () => {
    const connection_info = { driver_volume_type: 'fibre_channel', target_wwn: ['5005'] };
    peer.script(answer(200, { attachment: attachmentBody({ connection_info }) }));
    expect(await codeOf(client.updateAttachment(ATTACHMENT, { host: 'compute-1' }))).toBe('connector-unsupported');
  });

  it('closing the client ends a call that is on its way', async () => {
    peer.script((request, response, socket) => {
      silence(request, response, socket);
      void client.close();
    });
    expect(await codeOf(client.deleteVolume(VOLUME))).toBe('cinder-unreachable');
  });
});
