import { describe, expect, it } from '@jest/globals';
import { minutes, type PowerKind, type ServerId, type TaskState, type VmState } from '@novella/core';
import type { Store } from '@novella/persistence';
import {
  activeServer,
  answer,
  claimed,
  dispatched,
  extendOf,
  failure,
  must,
  newInstance,
  openOperation,
  requester,
  serverId,
  type Subject,
  TO_HOST,
  volumeId,
} from './world.js';

type PowerInput = Parameters<Store['requestPower']>[0];

/** What nova-api allows in each case (nova:nova/compute/api.py). */
const FROM = {
  start: { vmStates: ['stopped'], taskStates: [null] },
  stop: { vmStates: ['active', 'error'], taskStates: [null] },
  soft: { vmStates: ['active'], taskStates: [null] },
  hard: {
    vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
    taskStates: [null, 'rebooting', 'rebooting_hard', 'pausing', 'unpausing', 'suspending', 'resuming'],
  },
  paused: { vmStates: ['paused'], taskStates: [null] },
  suspended: { vmStates: ['suspended'], taskStates: [null] },
} as const satisfies Record<string, { vmStates: readonly VmState[]; taskStates: readonly (TaskState | null)[] }>;

const USUAL = {
  start: [FROM.start, 'powering-on'],
  stop: [FROM.stop, 'powering-off'],
  reboot: [FROM.soft, 'rebooting'],
  pause: [FROM.soft, 'pausing'],
  unpause: [FROM.paused, 'unpausing'],
  suspend: [FROM.soft, 'suspending'],
  resume: [FROM.suspended, 'resuming'],
} as const satisfies Record<PowerKind, readonly [PowerInput['from'], TaskState]>;

/** A hard reboot may be asked for while these are under way. */
const OVERTAKEN = [
  ['pause', 'active'],
  ['unpause', 'paused'],
  ['suspend', 'active'],
  ['resume', 'suspended'],
] as const satisfies (readonly [PowerKind, VmState])[];

export function powerTests({ store, sessions }: Subject): void {
  const asked = (server: ServerId, over: Partial<PowerInput> & { kind: PowerKind }): PowerInput => ({
    serverId: server,
    request: {},
    from: USUAL[over.kind][0],
    taskState: USUAL[over.kind][1],
    requester: requester(),
    ...over,
  });
  const stop = (server: ServerId) => store().requestPower(asked(server, { kind: 'stop' }));
  const soft = (server: ServerId) => store().requestPower(asked(server, { kind: 'reboot', request: { type: 'SOFT' } }));
  const hard = (server: ServerId) =>
    store().requestPower(
      asked(server, { kind: 'reboot', request: { type: 'HARD' }, from: FROM.hard, taskState: 'rebooting_hard' }),
    );
  const becomes = async (server: ServerId, vmState: VmState) => {
    const { id } = await extendOf(store(), server, volumeId());
    await store().end(await claimed(store(), id), { result: 'succeeded', changes: { instance: { vmState } } });
  };

  describe('requestPower', () => {
    it.each<[PowerKind, VmState, TaskState, string]>([
      ['start', 'stopped', 'powering-on', 'compute_start_instance'],
      ['stop', 'active', 'powering-off', 'compute_stop_instance'],
      ['reboot', 'active', 'rebooting', 'compute_reboot_instance'],
      ['pause', 'active', 'pausing', 'compute_pause_instance'],
      ['unpause', 'paused', 'unpausing', 'compute_unpause_instance'],
      ['suspend', 'active', 'suspending', 'compute_suspend_instance'],
      ['resume', 'suspended', 'resuming', 'compute_resume_instance'],
    ])('%s of a server that is %s: %s, with an operation and an action', async (kind, vmState, taskState, event) => {
      const server = await activeServer(store());
      await becomes(server.id, vmState);
      const input = asked(server.id, { kind, request: { type: 'SOFT' } });
      expect(await store().requestPower(input)).toEqual({ kind: 'accepted' });
      expect(await store().instance(server.id)).toMatchObject({ vmState, taskState });
      const operation = await openOperation(store(), server.id, kind);
      expect(operation).toMatchObject({
        state: 'queued',
        volumeId: null,
        initiator: 'user',
        request: { type: 'SOFT' },
        host: server.host,
        generation: server.generation,
        requestedSeq: 1,
      });
      await dispatched(store(), operation.id);
      expect(await store().instanceAction(server.id, input.requester.requestId)).toMatchObject({
        action: kind,
        events: [{ event, result: null }],
      });
    });

    it('refuses an unknown server', async () => {
      expect(await stop(serverId())).toEqual({ kind: 'server-not-found' });
    });

    it('refuses another vm_state and another task, says which it is, and writes nothing', async () => {
      const server = await activeServer(store());
      const before = await store().instance(server.id);
      const start = asked(server.id, { kind: 'start' });
      expect(await store().requestPower(start)).toEqual({ kind: 'wrong-state', vmState: 'active', taskState: null });
      expect(await store().instance(server.id)).toEqual(before);
      expect(await store().operations({ serverId: server.id, open: true, limit: 9 })).toEqual([]);
      await stop(server.id);
      const actions = await store().instanceActions(server.id);
      const busy = { kind: 'wrong-state', vmState: 'active', taskState: 'powering-off' };
      expect(await stop(server.id)).toEqual(busy);
      expect(await soft(server.id)).toEqual(busy);
      expect(await hard(server.id)).toEqual(busy);
      expect(await store().instanceActions(server.id)).toEqual(actions);
    });

    it('refuses while the server is being deleted', async () => {
      const server = await activeServer(store());
      await store().requestDelete(server.id, requester());
      expect(await stop(server.id)).toMatchObject({ kind: 'wrong-state', taskState: 'deleting' });
    });

    it('refuses a server that is on no host', async () => {
      const created = await store().createInstance({
        instance: newInstance(),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      const build = await claimed(store(), created.operation);
      const changes = { instance: { vmState: 'error', taskState: null } } as const;
      await store().end(build, { result: 'failed', error: failure(), changes });
      expect(await hard(created.instance.id)).toEqual({ kind: 'no-host' });
      expect((await store().instance(created.instance.id))?.taskState).toBeNull();
    });

    it('lets a second reboot join the open one: its request counts, its task shows', async () => {
      const server = await activeServer(store());
      await soft(server.id);
      const first = await openOperation(store(), server.id, 'reboot');
      const joined = asked(server.id, {
        kind: 'reboot',
        request: { type: 'HARD' },
        from: FROM.hard,
        taskState: 'rebooting_hard',
      });
      expect(await store().requestPower(joined)).toEqual({ kind: 'accepted' });
      expect(await openOperation(store(), server.id, 'reboot')).toMatchObject({
        id: first.id,
        version: first.version,
        requestedSeq: 2,
        request: { type: 'HARD' },
      });
      expect((await store().instance(server.id))?.taskState).toBe('rebooting_hard');
      await store().end(await claimed(store(), first.id), { result: 'succeeded' });
      for (const action of (await store().instanceActions(server.id)).slice(0, 2)) {
        const shown = must(await store().instanceAction(server.id, action.requestId));
        expect(shown).toMatchObject({ action: 'reboot', events: [{ result: 'Success' }] });
      }
      expect(await store().instanceAction(server.id, joined.requester.requestId)).not.toBeNull();
    });

    it('queues a waiting reboot again and forgets its failures when another joins', async () => {
      const server = await activeServer(store());
      await soft(server.id);
      const { id } = await openOperation(store(), server.id, 'reboot');
      await store().wait(await claimed(store(), id), { for: 'retry', nextIn: minutes(5), failed: true });
      await hard(server.id);
      expect(await store().operation(id)).toMatchObject({
        state: 'queued',
        waitingFor: null,
        nextAt: null,
        failures: 0,
        requestedSeq: 2,
        decidedSeq: 1,
      });
      expect((await claimed(store(), id)).request).toEqual({ type: 'HARD' });
    });

    it('lets a reboot that is with the host end first, and keeps the task until the one that joined has ended', async () => {
      const server = await activeServer(store());
      await soft(server.id);
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'reboot')).id);
      await hard(server.id);
      expect(await store().operation(sent.id)).toMatchObject({ state: 'dispatched', version: sent.version });
      const done = { instance: { taskState: null, vmState: 'active', powerState: 'paused' } } as const;
      const again = await store().end(await answer(store(), sent), { result: 'succeeded', changes: done });
      expect(again).toMatchObject({ state: 'queued', requestedSeq: 2, decidedSeq: 1 });
      expect(await store().instance(server.id)).toMatchObject({ taskState: 'rebooting_hard', powerState: 'paused' });
      expect(await stop(server.id)).toMatchObject({ kind: 'wrong-state' });
      const last = await dispatched(store(), sent.id);
      await store().end(await answer(store(), last), { result: 'succeeded', changes: done });
      expect((await store().instance(server.id))?.taskState).toBeNull();
    });

    it.each(OVERTAKEN)('ends a %s that no host has, when a hard reboot is asked for', async (kind, vmState) => {
      const server = await activeServer(store());
      await becomes(server.id, vmState);
      const input = asked(server.id, { kind });
      await store().requestPower(input);
      const { id } = await openOperation(store(), server.id, kind);
      const working = await claimed(store(), id);
      expect(await hard(server.id)).toEqual({ kind: 'accepted' });
      expect(await store().operation(id)).toMatchObject({ state: 'failed', error: { code: 'server-rebooted' } });
      expect(await store().dispatch(working, TO_HOST)).toBeNull();
      expect(await store().instanceAction(server.id, input.requester.requestId)).toMatchObject({
        message: expect.stringMatching(/^Error: /),
        events: [{ result: 'Error', details: expect.stringMatching(/^server-rebooted: /) }],
      });
      expect(await store().instance(server.id)).toMatchObject({ vmState, taskState: 'rebooting_hard' });
    });

    it.each(OVERTAKEN)(
      'lets a %s end that a host has, which leaves the hard reboot its task',
      async (kind, vmState) => {
        const server = await activeServer(store());
        await becomes(server.id, vmState);
        await store().requestPower(asked(server.id, { kind }));
        const sent = await dispatched(store(), (await openOperation(store(), server.id, kind)).id);
        await hard(server.id);
        expect(await store().operation(sent.id)).toEqual(sent);
        const reboot = await claimed(store(), (await openOperation(store(), server.id, 'reboot')).id);
        expect(await store().dispatch(reboot, TO_HOST)).toBe('excluded');
        const changes = { instance: { vmState: 'paused', taskState: null } } as const;
        await store().end(await answer(store(), sent), { result: 'succeeded', changes });
        expect(await store().instance(server.id)).toMatchObject({ vmState: 'paused', taskState: 'rebooting_hard' });
        const rebooted = must(await store().dispatch(reboot, TO_HOST));
        await store().end(await answer(store(), rebooted), { result: 'succeeded', changes });
        expect((await store().instance(server.id))?.taskState).toBeNull();
      },
    );

    it('is not held up by an extend of the same server', async () => {
      const server = await activeServer(store());
      await dispatched(store(), (await extendOf(store(), server.id, volumeId())).id);
      await store().openSystemExtend({ serverId: server.id, volumeId: volumeId(), requester: requester() });
      expect(await stop(server.id)).toEqual({ kind: 'accepted' });
      await dispatched(store(), (await openOperation(store(), server.id, 'stop')).id);
    });
  });

  describe('requestDelete after what changes the power', () => {
    it.each([['start', 'stopped'], ['stop', 'active'], ['reboot', 'active'], ...OVERTAKEN] as const)(
      'ends a %s that no host has',
      async (kind, vmState) => {
        const server = await activeServer(store());
        await becomes(server.id, vmState);
        const input = asked(server.id, { kind });
        await store().requestPower(input);
        const { id } = await openOperation(store(), server.id, kind);
        const working = await claimed(store(), id);
        expect(await store().requestDelete(server.id, requester())).toBe('accepted');
        expect(await store().operation(id)).toMatchObject({ state: 'failed', error: { code: 'server-deleted' } });
        expect(await store().dispatch(working, TO_HOST)).toBeNull();
        expect(await store().instanceAction(server.id, input.requester.requestId)).toMatchObject({
          message: expect.stringMatching(/^Error: /),
          events: [{ result: 'Error', details: 'server-deleted: the server is being deleted' }],
        });
        expect((await store().instance(server.id))?.taskState).toBe('deleting');
      },
    );

    it('waits for one that a host has, whose end leaves the server deleting', async () => {
      const server = await activeServer(store());
      await stop(server.id);
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'stop')).id);
      await store().requestDelete(server.id, requester());
      expect(await store().operation(sent.id)).toEqual(sent);
      const remove = await claimed(store(), (await openOperation(store(), server.id, 'delete')).id);
      expect(await store().dispatch(remove, TO_HOST)).toBe('excluded');
      const changes = { instance: { vmState: 'stopped', taskState: null } } as const;
      await store().end(await answer(store(), sent), { result: 'succeeded', changes });
      expect(await store().instance(server.id)).toMatchObject({ vmState: 'stopped', taskState: 'deleting' });
      expect(await store().dispatch(remove, TO_HOST)).toMatchObject({ state: 'dispatched' });
    });
  });

  describe('start, stop, reboot and delete asked for at once (rule 3.6c)', () => {
    it('are accepted one at a time', async () => {
      for (let round = 0; round < 5; round += 1) {
        const server = await activeServer(store());
        const results = await Promise.all(
          sessions().map((session, index) => {
            const kind = index % 2 === 0 ? 'stop' : 'reboot';
            const from = { vmStates: ['active'], taskStates: [null] } as const;
            return session.requestPower(asked(server.id, { kind, from }));
          }),
        );
        expect(results.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
        expect(results.filter(({ kind }) => kind === 'wrong-state')).toHaveLength(sessions().length - 1);
        expect(await store().operations({ serverId: server.id, open: true, limit: 9 })).toHaveLength(1);
      }
    });

    it('leave a deleting server with the delete and nothing undispatched, whatever came first', async () => {
      for (let round = 0; round < 5; round += 1) {
        const server = await activeServer(store());
        await Promise.all(
          sessions().map((session, index) =>
            index === 3
              ? session.requestDelete(server.id, requester())
              : session.requestPower(asked(server.id, { kind: 'stop' })),
          ),
        );
        const open = await store().operations({ serverId: server.id, open: true, limit: 9 });
        expect(open.map(({ kind }) => kind)).toEqual(['delete']);
        expect((await store().instance(server.id))?.taskState).toBe('deleting');
      }
    });

    it('count every hard reboot once', async () => {
      const server = await activeServer(store());
      await hard(server.id);
      const joins = await Promise.all(
        sessions().map((session) =>
          session.requestPower(
            asked(server.id, {
              kind: 'reboot',
              from: FROM.hard,
              taskState: 'rebooting_hard',
              request: { type: 'HARD' },
            }),
          ),
        ),
      );
      expect(joins.every(({ kind }) => kind === 'accepted')).toBe(true);
      const operation = await openOperation(store(), server.id, 'reboot');
      expect(operation.requestedSeq).toBe(1 + joins.length);
      await store().end(await claimed(store(), operation.id), { result: 'succeeded' });
      const actions = await store().instanceActions(server.id);
      const shown = await Promise.all(actions.map((action) => store().instanceAction(server.id, action.requestId)));
      expect(shown.filter((action) => action?.action === 'reboot')).toHaveLength(1 + joins.length);
      expect(shown.every((action) => action?.events[0]?.result === 'Success')).toBe(true);
    });
  });
}
