import type { ErrorCode, OperationKind } from '@novella/core';
import type { CinderCall } from './cinder-calls.js';
import { type AnswerShape, CINDER_FAULTS, type FaultRow } from './cinder-faults.js';
import type { Region } from './region.js';
import type { User } from './user.js';

/** Each call that the conductor makes of Cinder, and how it comes to make it. */
export interface Story {
  readonly name: string;
  readonly kind: OperationKind;
  readonly call: CinderCall;
  readonly answer: AnswerShape;
  /** Makes the volume, and brings it to where `ask` can be asked. Stories on one server share it. */
  prepare(cloud: Cloud): Promise<Subject>;
  /** Asks for what leads to the call; answers a text, the server's id, when that is made by it. */
  ask(cloud: Cloud, subject: Subject): Promise<unknown>;
  /** Why the operation is being undone, which no later error replaces; null: it goes forward. */
  readonly undoes: ErrorCode | null;
  /** How it ends once Cinder is well. */
  readonly well: End;
  /** How it ends at Cinder's last word; 'waits': it is tried again until Cinder takes it, and ends well. */
  readonly refused: End | 'waits';
  /** How it ends when Cinder says that it has no such thing, or that what no host can use; as `well` unless given. */
  readonly gone?: End;
}

export interface Cloud {
  readonly region: Region;
  readonly user: User;
  /** A server that stories of one name share. */
  sharedServer(story: string): Promise<string>;
}

export interface Subject {
  readonly server: string;
  readonly volume: string;
}

export interface End {
  readonly error: ErrorCode | null;
  /** What Cinder has of the volume then; 'deleted', or 'unknown' where the fault has lied about it. */
  readonly volume: 'in-use' | 'available' | 'deleted' | 'unknown';
  /** What the guest sees of the volume, in GiB; 0: it has no such disk. */
  readonly guestGib: 0 | 1 | 2;
}

const end = (error: ErrorCode | null, volume: End['volume'], guestGib: End['guestGib']): End => ({
  error,
  volume,
  guestGib,
});
const GROWN = end(null, 'in-use', 2);
const ATTACHED = end(null, 'in-use', 1);
const DETACHED = end(null, 'available', 0);
const NOT_ATTACHED = end('cinder-refused', 'available', 0);

const freshVolume = async (cloud: Cloud, story: string): Promise<Subject> => ({
  server: await cloud.sharedServer(story),
  volume: await cloud.user.volume(),
});

const attachedVolume = async (cloud: Cloud, story: string, type: 'qcow2' | null = null): Promise<Subject> => {
  const server = await cloud.sharedServer(story);
  const volume = await cloud.user.volume(type);
  return { server, volume: await cloud.user.attached(server, volume) };
};

const accepted = async (what: string, asked: Promise<{ status: number; text: string }>): Promise<void> => {
  const { status, text } = await asked;
  if (status < 200 || status > 299) throw new Error(`${what} was not accepted: ${status} ${text}`);
};

const attach = ({ user }: Cloud, { server, volume }: Subject) => accepted('the attach', user.attach(server, volume));
const detach = ({ user }: Cloud, { server, volume }: Subject) => accepted('the detach', user.detach(server, volume));
const extend = ({ user }: Cloud, { volume }: Subject) => user.extend(volume, 2);

const build = async ({ user }: Cloud, { volume }: Subject): Promise<string> => {
  const { status, text, json } = await user.requestServer(volume);
  if (status !== 202 || json.server === undefined) throw new Error(`the build was not accepted: ${status} ${text}`);
  return json.server.id;
};
const serverFrom = async ({ user }: Cloud, how: { deleteOnTermination?: true }): Promise<Subject> => {
  const volume = await user.bootableVolume();
  return { server: await user.server(volume, how), volume };
};
const deleteServer = ({ user }: Cloud, { server }: Subject) =>
  accepted('the delete', user.nova('DELETE', `/servers/${server}`));

/** Those that take the longest first. */
export const STORIES: readonly Story[] = [
  {
    name: 'an attach whose reservation was never confirmed looks for it',
    ...{ kind: 'attach', call: 'findAttachments', answer: 'attachments', undoes: 'cinder-unreachable' },
    prepare: (cloud) => freshVolume(cloud, 'reservation'),
    async ask({ region, user }, { server, volume }) {
      const fault = lostAnswer();
      const lost = region.cinder.hold({ by: 'user', call: 'createAttachment', volume, fault });
      const { status, text } = await user.attach(server, volume);
      lost.end();
      if (status !== 503) throw new Error(`an attach whose answer was lost: ${status} ${text}`);
    },
    ...{ well: end('cinder-unreachable', 'available', 0), refused: 'waits' },
  },
  {
    name: 'an extend reads the volume',
    ...{ kind: 'extend', call: 'getVolume', answer: 'volume', undoes: null },
    prepare: (cloud) => attachedVolume(cloud, 'extend'),
    ask: extend,
    ...{ well: GROWN, refused: end('cinder-refused', 'in-use', 1), gone: end('volume-not-found', 'in-use', 1) },
  },
  {
    name: 'an extend of a qcow2 file tells that it has grown',
    ...{ kind: 'extend', call: 'completeExtend', answer: 'nothing', undoes: null },
    prepare: (cloud) => attachedVolume(cloud, 'qcow2', 'qcow2'),
    ask: extend,
    // The guest has its size; a Cinder that will not hear of it does not wait for it.
    ...{ well: GROWN, refused: end(null, 'unknown', 2), gone: end(null, 'unknown', 2) },
  },
  {
    name: 'an attach connects the host',
    ...{ kind: 'attach', call: 'updateAttachment', answer: 'attachment', undoes: null },
    prepare: (cloud) => freshVolume(cloud, 'connect'),
    ask: attach,
    ...{ well: ATTACHED, refused: NOT_ATTACHED, gone: NOT_ATTACHED },
  },
  {
    name: 'an attach is completed',
    ...{ kind: 'attach', call: 'completeAttachment', answer: 'nothing', undoes: null },
    prepare: (cloud) => freshVolume(cloud, 'complete'),
    ask: attach,
    ...{ well: ATTACHED, refused: NOT_ATTACHED, gone: NOT_ATTACHED },
  },
  {
    name: 'an attach that the host refused is let go',
    ...{ kind: 'attach', call: 'deleteAttachment', answer: 'attachments', undoes: 'hypervisor-refused' },
    prepare: (cloud) => freshVolume(cloud, 'let-go'),
    async ask(cloud, subject) {
      cloud.region.hypervisor.refused.add(`attach ${subject.volume}`);
      await attach(cloud, subject);
    },
    ...{ well: end('hypervisor-refused', 'available', 0), refused: 'waits' },
  },
  {
    name: 'a detach begins',
    ...{ kind: 'detach', call: 'beginDetaching', answer: 'nothing', undoes: null },
    prepare: (cloud) => attachedVolume(cloud, 'begin'),
    ask: detach,
    // Of a volume that Cinder has lost, what is left can still be taken away.
    ...{ well: DETACHED, refused: end('cinder-refused', 'in-use', 1), gone: DETACHED },
  },
  {
    name: 'a detach lets the attachment go',
    ...{ kind: 'detach', call: 'deleteAttachment', answer: 'attachments', undoes: null },
    prepare: (cloud) => attachedVolume(cloud, 'release'),
    ask: detach,
    ...{ well: DETACHED, refused: 'waits' },
  },
  {
    name: 'a detach that the host refused is rolled back',
    ...{ kind: 'detach', call: 'rollDetaching', answer: 'nothing', undoes: 'hypervisor-refused' },
    prepare: (cloud) => attachedVolume(cloud, 'roll'),
    async ask(cloud, subject) {
      cloud.region.hypervisor.refused.add(`detach ${subject.volume}`);
      await detach(cloud, subject);
    },
    ...{
      well: end('hypervisor-refused', 'in-use', 1),
      refused: end('hypervisor-refused', 'unknown', 1),
      gone: end('hypervisor-refused', 'unknown', 1),
    },
  },
  {
    name: 'a build connects the host',
    ...{ kind: 'build', call: 'updateAttachment', answer: 'attachment', undoes: null },
    prepare: async ({ user }) => ({ server: '', volume: await user.bootableVolume() }),
    ask: build,
    ...{ well: ATTACHED, refused: NOT_ATTACHED, gone: NOT_ATTACHED },
  },
  {
    name: 'a build is completed',
    ...{ kind: 'build', call: 'completeAttachment', answer: 'nothing', undoes: null },
    prepare: async ({ user }) => ({ server: '', volume: await user.bootableVolume() }),
    ask: build,
    ...{ well: ATTACHED, refused: NOT_ATTACHED, gone: NOT_ATTACHED },
  },
  {
    name: 'a delete lets the attachment go',
    ...{ kind: 'delete', call: 'deleteAttachment', answer: 'attachments', undoes: null },
    prepare: (cloud) => serverFrom(cloud, {}),
    ask: deleteServer,
    ...{ well: DETACHED, refused: 'waits' },
  },
  {
    name: 'a delete deletes the volume',
    ...{ kind: 'delete', call: 'deleteVolume', answer: 'nothing', undoes: null },
    prepare: (cloud) => serverFrom(cloud, { deleteOnTermination: true }),
    ask: deleteServer,
    ...{ well: end(null, 'deleted', 0), refused: 'waits', gone: end(null, 'unknown', 0) },
  },
];

function lostAnswer(): FaultRow['fault'] {
  const row = CINDER_FAULTS.find(({ name }) => name === 'does it and resets the connection before the answer');
  if (row === undefined) throw new Error('the table of faults has changed');
  return row.fault;
}

export interface Cell {
  readonly story: Story;
  readonly row: FaultRow;
  readonly name: string;
}

/** Each call with each fault that can befall it. */
export const CELLS: readonly Cell[] = STORIES.flatMap((story) =>
  CINDER_FAULTS.filter(({ only }) => only === undefined || only.includes(story.answer)).map((row) => ({
    story,
    row,
    name: `${story.name}, and Cinder ${row.name}`,
  })),
);
