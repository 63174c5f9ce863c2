import { type ErrorRecord, NovellaError, type VolumeId } from '@novella/core';
import type { BlockDeviceMapping, Operation, OperationFacts, RecordChanges } from '@novella/persistence';
import { seal } from '@novella/sealing';
import type { Connected } from '../volume-service.js';
import type { FlowIo, Plan, StepDone, Stored } from './plan.js';
import { waitFor } from './retry.js';

/** What operations of several kinds do with a volume's attachment at Cinder. */
type MappingChange = NonNullable<RecordChanges['mappings']>[number];

/** Tells Cinder who the host is; what only the host may read is sealed to it before it is stored. */
export async function connect(rows: OperationFacts, mapping: BlockDeviceMapping, io: FlowIo): Promise<MappingChange> {
  const { instance, service } = rows;
  if (mapping.attachmentId === null || service === null) throw new Error('connect decided without its facts');
  const connector = service.connectorProperties;
  const { projectId } = instance;
  const answer = await io.volumes.connectAttachment(projectId, mapping.attachmentId, connector, mapping.device);
  return connected(rows, mapping, answer, io);
}

/** Every attachment of this volume to this server, also one whose id was never heard. */
export async function releaseAttachments(rows: OperationFacts, mapping: BlockDeviceMapping, io: FlowIo): Promise<void> {
  const { projectId, id } = rows.instance;
  const known = mapping.attachmentId === null ? [] : [mapping.attachmentId];
  const found = mapping.attachmentId === null ? await io.volumes.attachments(projectId, mapping.volumeId, id) : [];
  for (const attachment of [...known, ...found]) await io.volumes.deleteAttachment(projectId, attachment);
}

export const RECONNECT = 'reconnect';
type ReconnectStep = Stored<typeof RECONNECT>;
type ReconnectPlan = Plan<{ own: readonly [typeof RECONNECT]; onHost: readonly []; reached: readonly [] }>;

/**
 * A host that has a new key cannot read what was sealed to its old one: each secret is asked for again, one volume per
 * step, and then the command is sent again. Null when the error says something else.
 */
export function reconnectFor(error: ErrorRecord, { mappings }: OperationFacts): ReconnectPlan | null {
  const first = mappings.find(({ sealedSecret }) => sealedSecret !== null);
  if (error.code !== 'secret-unreadable' || first === undefined) return null;
  return { ...waitFor(error), step: reconnectStep(first.volumeId) };
}

/** The step of `reconnectFor` that the operation is at; null when it is at another. */
export const reconnecting = ({ step }: Operation): ReconnectPlan | null =>
  step !== null && isReconnect(step) ? { do: 'run', step } : null;

const isReconnect = (step: string): step is ReconnectStep => step.startsWith(`${RECONNECT} `);

/** Runs a step of `reconnectFor`; after the last volume `then` comes next. */
export async function reconnect<Then extends string>(
  step: ReconnectStep,
  rows: OperationFacts,
  io: FlowIo,
  then: Then,
): Promise<StepDone<Then | ReconnectStep>> {
  const sealed = rows.mappings.filter(({ sealedSecret }) => sealedSecret !== null);
  const at = sealed.findIndex(({ volumeId }) => step === reconnectStep(volumeId));
  const mapping = sealed[at];
  if (mapping?.attachmentId === undefined || mapping.attachmentId === null) return { next: then };
  // Only asked for: to tell Cinder the connector again would make an attached volume `attaching`.
  const fresh = await io.volumes.connection(rows.instance.projectId, mapping.attachmentId);
  const following = sealed[at + 1];
  return {
    next: following === undefined ? then : reconnectStep(following.volumeId),
    ...(fresh === null ? {} : { changes: { mappings: [await connected(rows, mapping, fresh, io)] } }),
  };
}

const reconnectStep = (volume: VolumeId): ReconnectStep => `${RECONNECT} ${volume}`;

async function connected(
  rows: OperationFacts,
  { id, attachmentId, volumeId }: BlockDeviceMapping,
  answer: Connected,
  io: FlowIo,
): Promise<MappingChange> {
  const { service } = rows;
  const { connection, secret } = answer.connection.encrypted
    ? await withPassphrase(rows, volumeId, answer, io)
    : answer;
  if (secret === null || attachmentId === null) return { id, connection, sealedSecret: null };
  const publicKey = service?.publicKey ?? null;
  if (publicKey === null) {
    const facts = { host: service?.host ?? null };
    const message = 'the host has reported no key that the secret of the volume could be sealed to';
    throw new NovellaError('secret-unreadable', message, facts, { grade: 'final' });
  }
  return { id, connection, sealedSecret: seal(publicKey, secret, attachmentId) };
}

/** A volume that the storage decrypts by itself is like any other for a host. */
async function withPassphrase(
  { instance }: OperationFacts,
  volume: VolumeId,
  { connection, secret }: Connected,
  io: FlowIo,
): Promise<Connected> {
  const passphrase = await io.volumes.encryption(instance.projectId, volume);
  if (passphrase === null) return { connection: { ...connection, encrypted: false }, secret };
  return { connection, secret: { ...secret, ...passphrase } };
}
