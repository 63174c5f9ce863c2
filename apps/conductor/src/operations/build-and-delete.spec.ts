import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '@novella/contracts';
import { type BootImage, type BootImages, bytes, type ErrorCode, ERRORS } from '@novella/core';
import type { Service } from '@novella/persistence';
import { facts, HOST, instance, mapping, OPERATION, operation, service } from '@novella/testing';
import { build } from './build.js';
import { deleteServer } from './delete.js';
import type { FlowIo, Plan, Turn } from './plan.js';

const IMAGE: BootImage = {
  id: '77777777-7777-4777-8777-777777777777',
  diskFormat: 'qcow2',
  size: bytes(4096),
  hash: null,
  minDiskGib: 0,
  minMemoryMib: 0,
  commandLine: null,
};
const BOOT_IMAGES: BootImages = { image: IMAGE, kernel: { ...IMAGE, size: bytes(0) }, ramdisk: null };

const building = (over = {}) => instance({ vmState: 'building', taskState: 'scheduling', launchedAt: null, ...over });
const decideBuild = (over: Partial<Turn> = {}, services: Service[] | null = null): Plan =>
  build.decide(
    {
      operation: operation({ kind: 'build', volumeId: null }),
      rows: facts({ instance: building(), mappings: [] }),
      answer: null,
      ...over,
    },
    { services, images: null },
  );
const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});
const at = (step: string, over = {}) => operation({ kind: 'build', volumeId: null, step, attempt: 1, ...over });

describe('build decides', () => {
  it('to take room on a live host first', () => {
    const rows = facts({ instance: building({ host: null }), mappings: [], service: null });
    expect(decideBuild({ rows }, [service()])).toMatchObject({ do: 'place', hosts: ['compute-1'], need: { vcpus: 1 } });
  });

  it('to give up when no host has room', () => {
    const rows = facts({ instance: building({ host: null }), mappings: [], service: null });
    expect(decideBuild({ rows }, [service({ up: false })])).toMatchObject({
      do: 'run',
      step: 'release',
      error: { code: 'no-valid-host' },
    });
  });

  it('to connect the volumes before the host is told', () => {
    const rows = facts({ instance: building(), mappings: [mapping({ connection: null })] });
    expect(decideBuild({ rows })).toMatchObject({ do: 'run', step: 'connect' });
  });

  it('to name the domain after the number of the server and the boot volume after index 0', () => {
    const boot = mapping({ bootIndex: 0 });
    const rows = facts({ instance: building({ number: 255 }), mappings: [boot] });
    expect(decideBuild({ rows })).toMatchObject({
      do: 'dispatch',
      command: { args: { domainName: 'instance-000000ff', bootVolume: boot.volumeId, volumes: [{ device: 'vdb' }] } },
    });
  });

  it('to tell the host where it gets its images, with what it was asked for', () => {
    const rows = facts({ instance: building({ imageRef: IMAGE.id, bootImages: BOOT_IMAGES }), mappings: [] });
    const images = { image: { ...IMAGE, url: 'http://conductor-1:8793/images/x' }, kernel: null, ramdisk: null };
    const turn = { operation: operation({ kind: 'build', volumeId: null }), rows, answer: null };
    expect(build.decide(turn, { services: null, images })).toMatchObject({
      do: 'dispatch',
      command: { args: { imageRef: IMAGE.id, images } },
    });
  });

  it('to be active once Cinder has completed every attachment', () => {
    expect(decideBuild({ operation: at('completed') })).toMatchObject({
      do: 'succeed',
      changes: { instance: { vmState: 'active', taskState: null, launched: true } },
    });
  });

  it('to leave its volumes to a delete that was accepted meanwhile', () => {
    const rows = facts({ instance: building({ taskState: 'deleting' }) });
    const plan = decideBuild({ operation: at('released'), rows });
    expect(plan).toMatchObject({ do: 'fail', changes: { mappings: [] } });
  });

  it('to keep why it undoes when the host calls the undo stale', () => {
    const plan = decideBuild({ answer: { status: 'stale' }, operation: at('off-host') });
    expect(plan).toEqual({ do: 'wait', for: 'retry' });
  });

  it('to remove the guest before it lets attachments go, when the host failed for good', () => {
    const rows = facts({ instance: building() });
    const plan = decideBuild({ operation: at('on-host'), rows, answer: failed('image-refused') });
    expect(plan).toMatchObject({ do: 'dispatch', step: 'off-host', command: { method: 'delete_instance' } });
    expect(decideBuild({ operation: at('off-host'), rows, answer: { status: 'deleted' } })).toMatchObject({
      do: 'run',
      step: 'release',
    });
  });

  it('to end in error with its reason when all is undone', () => {
    const error = { code: 'image-refused', grade: 'final', message: 'a backing file', facts: {} } as const;
    const plan = decideBuild({ operation: at('released', { error }), rows: facts({ instance: building() }) });
    expect(plan).toMatchObject({
      do: 'fail',
      error,
      changes: {
        instance: { vmState: 'error', fault: { code: 500, message: 'a backing file' } },
        mappings: [{ removed: true }],
      },
    });
  });

  it('to stop building a server that was deleted: at once before a host was told, else on the host', () => {
    const rows = facts({ instance: building({ taskState: 'deleting' }), mappings: [] });
    expect(decideBuild({ rows })).toMatchObject({ do: 'run', step: 'release', error: { code: 'server-deleted' } });
    expect(decideBuild({ rows, operation: at('on-host', { attempt: 1 }) })).toMatchObject({
      do: 'dispatch',
      step: 'off-host',
    });
  });
});

describe('build reads where images are', () => {
  const asked: unknown[] = [];
  const imageLinks: NonNullable<FlowIo['imageLinks']> = {
    link: (to) => {
      asked.push(to);
      return `http://conductor-1:8793/images/${to.image}`;
    },
  };
  const io = { volumes: {}, computeServices: () => Promise.resolve([]) } as unknown as FlowIo;
  const read = (over: object, links: FlowIo['imageLinks'] | null = imageLinks) => {
    const rows = facts({ instance: building({ bootImages: BOOT_IMAGES, ...over }), mappings: [] });
    const turn = { operation: operation({ kind: 'build', volumeId: null }), rows, answer: null };
    return build.readFacts(turn, links === null ? io : { ...io, imageLinks: links });
  };

  it('as links for the host that it is on and for this operation; none for an image without data', async () => {
    const { images } = await read({});
    expect(images?.image).toEqual({ ...IMAGE, url: `http://conductor-1:8793/images/${IMAGE.id}` });
    expect(images?.kernel).toMatchObject({ url: null });
    expect(images?.ramdisk).toBeNull();
    expect(asked).toEqual([{ image: IMAGE.id, host: HOST, operation: OPERATION }]);
  });

  it.each([
    ['boots from none, or hosts have them', { bootImages: null }, imageLinks],
    ['has no host yet', { host: null }, imageLinks],
    ['is built by a conductor that serves none', {}, null],
  ])('as nothing when the server %s', async (_what, over, links) => {
    expect((await read(over, links)).images).toBeNull();
  });
});

const decideDelete = (over: Partial<Turn> = {}): Plan =>
  deleteServer.decide(
    { operation: operation({ kind: 'delete', volumeId: null }), rows: facts(), answer: null, ...over },
    null,
  );

describe('delete decides', () => {
  it('to remove the guest first', () => {
    expect(decideDelete()).toMatchObject({
      do: 'dispatch',
      command: { method: 'delete_instance', args: { volumes: [{}] } },
    });
  });

  it.each([
    ['a host is acting on the server', { kind: 'attach', state: 'dispatched', volumeId: null }],
    ['the server is being built', { kind: 'build', state: 'queued', volumeId: null }],
  ] as const)('to wait while %s', (_, other) => {
    expect(decideDelete({ rows: facts({ others: [other] }) })).toMatchObject({ do: 'wait', for: 'server-task' });
  });

  it('to wait for a host that is down, but not for one that is fenced (rule 3.3b)', () => {
    const down = service({ up: false });
    expect(decideDelete({ rows: facts({ service: down }) })).toMatchObject({ do: 'wait', for: 'host' });
    const fenced = service({ up: false, forcedDown: true });
    expect(decideDelete({ rows: facts({ service: fenced }) })).toMatchObject({ do: 'run', step: 'release' });
  });

  it('to let attachments go only when the guest is reported gone (rule 3.3b)', () => {
    expect(decideDelete({ answer: { status: 'deleted' } })).toMatchObject({ do: 'run', step: 'release' });
    expect(decideDelete({ answer: failed('hypervisor-refused') })).toMatchObject({ do: 'wait', countsAsFailure: true });
  });

  it('to mark the row deleted last', () => {
    const done = operation({ kind: 'delete', volumeId: null, step: 'released' });
    expect(decideDelete({ operation: done })).toMatchObject({
      do: 'succeed',
      changes: { instance: { deleted: true }, mappings: [{ removed: true }] },
    });
  });
});
