import {
  type AttachmentId,
  type ConnectionInfo,
  type Log,
  type Millis,
  NovellaError,
  parseConnectionInfo,
  type ProjectId,
  seconds,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import {
  attachmentAnswer,
  attachmentsAnswer,
  attachmentSummaryAnswer,
  type AttachmentSummary,
  encryptionAnswer,
  remainingAttachmentsAnswer,
  type Volume,
  volumeAnswer,
  type VolumeEncryption,
  volumesAnswer,
} from './answers.js';
import { expectDone, expectNothing, ofSubject, parse } from './believed.js';
import { splitSecrets } from './split-secrets.js';
import { type Answer, type Call, type CinderAuth, CinderTransport } from './transport.js';

/** Where Cinder runs without Keystone: the token only names user and project. */
export const noAuth = (user: string, project: ProjectId): CinderAuth => ({
  credentials: () => Promise.resolve({ project, headers: { 'X-Auth-Token': `${user}:${project}` } }),
  renewed: () => Promise.resolve(null),
});

export interface CinderOptions {
  /** `http://host:port/v3`, or where to ask for it before each request; the project is appended. */
  readonly endpoint: string | (() => Promise<string>);
  readonly auth: CinderAuth;
  readonly log: Log;
  readonly connections?: number;
  readonly connectTimeout?: Millis;
  readonly headersTimeout?: Millis;
  readonly bodyTimeout?: Millis;
  readonly totalTimeout?: Millis;
  readonly maxAnswerBytes?: number;
}

export interface Attachment extends AttachmentSummary {
  /** How the host reaches the volume; null until a connector was given. */
  readonly connection: ConnectionInfo | null;
  readonly secret: Connected['secret'];
}

/** How the host that was named reaches the volume. */
export interface Connected {
  readonly connection: ConnectionInfo;
  /** What must only be read by that host (see splitSecrets); null when there is nothing. */
  readonly secret: Readonly<Record<string, string>> | null;
}

/** os-brick's connector properties of a host, and the name of the device in the guest. */
export type Connector = Readonly<Record<string, unknown>> & { readonly host: string };

/**
 * The calls to Cinder that a compute service makes. All may fail with cinder-unreachable (refused, reset, timed out, 5xx,
 * 429), cinder-unauthorized (401, 403), cinder-refused (any other 4xx; facts `status`, `cinderMessage`) and
 * cinder-answer-invalid. Mirrors nova:volume/cinder.py.
 */
export interface CinderClient {
  /** The same Cinder through the same connections, as somebody else: a user with their own token. */
  as(auth: CinderAuth): CinderClient;

  /** Error: volume-not-found. */
  getVolume(volume: VolumeId): Promise<Volume>;

  /** How the volume is encrypted. Error: volume-not-found. */
  getEncryption(volume: VolumeId): Promise<VolumeEncryption>;

  /** One page in Cinder's own order. `next` is the marker of the page after it, null on the last. */
  listVolumesDetail(query: VolumesQuery): Promise<{ volumes: readonly Volume[]; next: VolumeId | null }>;

  /**
   * Reserves the volume for the server; a volume of one attachment only is then closed to others. Not repeatable: look
   * with findAttachments before a second try. Errors: volume-not-found; cinder-refused 400 for a volume in another state.
   */
  createAttachment(volume: VolumeId, server: ServerId): Promise<AttachmentSummary>;

  /** Attachments of the volume to the server, in any state. */
  findAttachments(volume: VolumeId, server: ServerId): Promise<readonly AttachmentSummary[]>;

  /** null when there is none of that id. Errors: connector-unsupported, connection-info-invalid. */
  getAttachment(attachment: AttachmentId): Promise<Attachment | null>;

  /**
   * Tells Cinder which host it is; the storage back end opens the volume for it. Repeatable.
   * Errors: connector-unsupported, connection-info-invalid; cinder-refused 404 when the attachment is gone.
   */
  updateAttachment(attachment: AttachmentId, connector: Connector): Promise<Connected>;

  /** The volume is `in-use` from here. Repeatable. Error: cinder-refused 404 when the attachment is gone. */
  completeAttachment(attachment: AttachmentId): Promise<void>;

  /** An attachment that is gone already is no error. Cinder wants a service token for this, else it may answer 409. */
  deleteAttachment(attachment: AttachmentId): Promise<void>;

  /**
   * The volume becomes `detaching`, and nobody else begins. Not repeatable: a second call is refused as any other state.
   * Errors: volume-not-found; cinder-refused 400 for a volume that is not `in-use`.
   */
  beginDetaching(volume: VolumeId): Promise<void>;

  /** A volume that is `detaching` is `in-use` again; any other is left alone. Error: volume-not-found. */
  rollDetaching(volume: VolumeId): Promise<void>;

  /**
   * Ends an extend that waits for whoever has the volume open: `error` false stores the new size, true ends in
   * `error_extending`. Errors: volume-not-found; cinder-refused 400 when none is awaited.
   */
  completeExtend(volume: VolumeId, error: boolean): Promise<void>;

  /** Accepted, not done: Cinder deletes later. A volume that is gone already is no error. */
  deleteVolume(volume: VolumeId): Promise<void>;

  /** Ends the connections, also for all that `as` made. Requests on their way fail with cinder-unreachable. */
  close(): Promise<void>;
}

export interface VolumesQuery {
  readonly limit: number;
  readonly marker?: VolumeId;
  readonly status?: string;
  /** Of all projects; Cinder heeds it for administrators only. */
  readonly allProjects?: boolean;
}

/** Throws a TypeError for an endpoint that is no http(s) URL. Opens no connection before the first call. */
export function createCinderClient(options: CinderOptions): CinderClient {
  const { endpoint } = options;
  if (typeof endpoint === 'string' && !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new TypeError('the endpoint is no http(s) URL');
  }
  const transport = new CinderTransport({
    endpoint: typeof endpoint === 'string' ? () => Promise.resolve(endpoint) : endpoint,
    log: options.log,
    connections: options.connections ?? 16,
    connectTimeout: options.connectTimeout ?? seconds(5),
    headersTimeout: options.headersTimeout ?? seconds(60),
    bodyTimeout: options.bodyTimeout ?? seconds(10),
    totalTimeout: options.totalTimeout ?? seconds(90),
    maxAnswerBytes: options.maxAnswerBytes ?? 16 * 2 ** 20,
  });
  return clientOf(transport, options.auth);
}

function clientOf(transport: CinderTransport, auth: CinderAuth): CinderClient {
  const send = (call: Call) => transport.send(auth, call);
  return {
    as: (other) => clientOf(transport, other),
    close: () => transport.close(),
    ...volumeCalls(send),
    ...attachmentCalls(send),
  };
}

type Send = (call: Call) => Promise<Answer>;
type VolumeCalls = Pick<
  CinderClient,
  | 'getVolume'
  | 'getEncryption'
  | 'listVolumesDetail'
  | 'deleteVolume'
  | 'beginDetaching'
  | 'rollDetaching'
  | 'completeExtend'
>;
type AttachmentCalls = Omit<CinderClient, keyof VolumeCalls | 'as' | 'close'>;

function volumeCalls(send: Send): VolumeCalls {
  const about = (volume: VolumeId) => ({ path: `/volumes/${volume}`, subject: volume, microversion: '3.0' });
  /** The names of actions are Cinder's: cinder:api/contrib/volume_actions.py. */
  const act = async (name: string, volume: VolumeId, action: string, args: object | null): Promise<void> => {
    const { path, ...route } = about(volume);
    const call: Call = { name, method: 'POST', ...route, path: `${path}/action`, body: { [action]: args } };
    const answer = await send(call);
    if (answer.kind === 'gone') throw volumeNotFound(volume);
    expectNothing(call, answer);
  };
  return {
    beginDetaching: (volume) => act('beginDetaching', volume, 'os-begin_detaching', null),
    rollDetaching: (volume) => act('rollDetaching', volume, 'os-roll_detaching', null),
    completeExtend: (volume, error) => act('completeExtend', volume, 'os-extend_volume_completion', { error }),

    async getVolume(volume) {
      const call: Call = { name: 'getVolume', method: 'GET', ...about(volume) };
      const answer = await send(call);
      if (answer.kind === 'gone') throw volumeNotFound(volume);
      return ofSubject(call, parse(call, answer, volumeAnswer), { id: volume });
    },

    async getEncryption(volume) {
      const { path, ...route } = about(volume);
      const call: Call = { name: 'getEncryption', method: 'GET', ...route, path: `${path}/encryption` };
      const answer = await send(call);
      if (answer.kind === 'gone') throw volumeNotFound(volume);
      return parse(call, answer, encryptionAnswer);
    },

    async listVolumesDetail({ limit, marker, status, allProjects }) {
      const query = new URLSearchParams({ limit: String(limit) });
      if (marker !== undefined) query.set('marker', marker);
      if (status !== undefined) query.set('status', status);
      if (allProjects === true) query.set('all_tenants', '1');
      const path = `/volumes/detail?${query.toString()}`;
      const subject = marker ?? null;
      const call: Call = { name: 'listVolumesDetail', method: 'GET', path, subject, microversion: '3.0' };
      const page = parse(call, await send(call), volumesAnswer);
      return { volumes: page.volumes, next: page.more ? (page.volumes.at(-1)?.id ?? null) : null };
    },

    async deleteVolume(volume) {
      const call: Call = { name: 'deleteVolume', method: 'DELETE', ...about(volume) };
      const answer = await send(call);
      if (answer.kind === 'ok') expectNothing(call, answer);
    },
  };
}

function attachmentCalls(send: Send): AttachmentCalls {
  const about = (attachment: AttachmentId, microversion: string, action = '') => {
    return { path: `/attachments/${attachment}${action}`, subject: attachment, microversion };
  };
  return {
    async createAttachment(volume, server) {
      const body = { attachment: { volume_uuid: volume, instance_uuid: server } };
      // 3.27 would do for this call, but not for completing what it makes: better refused before it reserves anything.
      const route = { path: '/attachments', subject: volume, microversion: '3.44' };
      const call: Call = { name: 'createAttachment', method: 'POST', ...route, body };
      const answer = await send(call);
      if (answer.kind === 'gone') throw volumeNotFound(volume);
      return ofSubject(call, parse(call, answer, attachmentSummaryAnswer), { volume, server });
    },

    async findAttachments(volume, server) {
      // all_tenants: with service credentials the attachment is another project's; Cinder ignores it for users.
      const query = new URLSearchParams({ volume_id: volume, instance_id: server, all_tenants: '1' });
      const route = { path: `/attachments?${query.toString()}`, subject: null, microversion: '3.27' };
      const call: Call = { name: 'findAttachments', method: 'GET', ...route };
      const found = parse(call, await send(call), attachmentsAnswer);
      return found.filter((each) => each.volume === volume && each.server === server);
    },

    async getAttachment(attachment) {
      const call: Call = { name: 'getAttachment', method: 'GET', ...about(attachment, '3.27') };
      const answer = await send(call);
      if (answer.kind === 'gone') return null;
      const found = ofSubject(call, parse(call, answer, attachmentAnswer), { id: attachment });
      const { connectionInfo, ...summary } = found;
      if (isEmpty(connectionInfo)) return { ...summary, connection: null, secret: null };
      return { ...summary, ...connected(connectionInfo) };
    },

    async updateAttachment(attachment, connector) {
      const body = { attachment: { connector } };
      const call: Call = { name: 'updateAttachment', method: 'PUT', ...about(attachment, '3.27'), body };
      const updated = ofSubject(call, parse(call, await send(call), attachmentAnswer), { id: attachment });
      return connected(updated.connectionInfo);
    },

    async completeAttachment(attachment) {
      const body = { 'os-complete': {} };
      const call: Call = { name: 'completeAttachment', method: 'POST', ...about(attachment, '3.44', '/action'), body };
      const answer = await send(call);
      expectDone(call, answer);
      expectNothing(call, answer);
    },

    async deleteAttachment(attachment) {
      const call: Call = { name: 'deleteAttachment', method: 'DELETE', ...about(attachment, '3.27') };
      const answer = await send(call);
      if (answer.kind === 'ok') parse(call, answer, remainingAttachmentsAnswer);
    },
  };
}

function connected(connectionInfo: unknown): Connected {
  const { info, secret } = splitSecrets(connectionInfo);
  return { connection: parseConnectionInfo(info), secret };
}

const isEmpty = (record: object) => Object.keys(record).length === 0;

const volumeNotFound = (volume: VolumeId) =>
  new NovellaError('volume-not-found', `Cinder has no volume ${volume}`, { volume });
