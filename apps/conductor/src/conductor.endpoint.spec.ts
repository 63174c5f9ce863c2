import { describe, expect, it } from '@jest/globals';
import type { MessageFacts, OperationResult } from '@novella/contracts';
import { bytes, type HostName, NovellaError } from '@novella/core';
import { HOST, OPERATION, SERVER } from '@novella/testing';
import type { Conductor } from './conductor.js';
import { ConductorEndpoint } from './conductor.endpoint.js';

const RESULT: OperationResult = {
  host: HOST,
  token: { operation: OPERATION, attempt: 1, generation: 1, fence: 1 },
  outcome: { status: 'grown', hostBytes: bytes(1), guestBytes: bytes(1) },
};
const from = (userId: string | null): MessageFacts => ({ userId, requestId: null, redelivered: false });

/** An endpoint whose conductor only remembers the answers that it was given. */
function endpoint({ verifySender = true, answer = () => Promise.resolve() } = {}) {
  const answered: OperationResult[] = [];
  const engine = {
    answer: (result: OperationResult) => {
      answered.push(result);
      return answer();
    },
  };
  const conductor = { verifySender, engine, reports: {} } as unknown as Conductor;
  return { endpoint: new ConductorEndpoint(conductor), answered };
}

describe('what a host says', () => {
  it.each(['compute-other', 'nova-api', null])('is refused from %s', async (userId) => {
    const { endpoint: conductor, answered } = endpoint();
    const message = from(userId);
    const refused = { code: 'sender-refused' };
    await expect(conductor.operation_result(RESULT, message)).rejects.toMatchObject(refused);
    const report = { host: HOST } as Parameters<ConductorEndpoint['service_report']>[0];
    await expect(conductor.service_report(report, message)).rejects.toMatchObject(refused);
    const change = { host: HOST, server: SERVER, powerState: 'running' } as const;
    await expect(conductor.power_state_changed(change, message)).rejects.toMatchObject(refused);
    expect(answered).toEqual([]);
  });

  it('is believed from its own broker user, and from nobody about another host', async () => {
    const { endpoint: conductor, answered } = endpoint();
    await conductor.operation_result(RESULT, from(`compute-${HOST}`));
    expect(answered).toEqual([RESULT]);
    const other = { ...RESULT, host: 'other' as HostName };
    await expect(conductor.operation_result(other, from(`compute-${HOST}`))).rejects.toMatchObject({
      code: 'sender-refused',
    });
  });

  it('is believed from anybody where senders are not verified', async () => {
    const { endpoint: conductor, answered } = endpoint({ verifySender: false });
    await conductor.operation_result(RESULT, from(null));
    expect(answered).toEqual([RESULT]);
  });

  it('is taken from the broker only when it was recorded', async () => {
    const fault = new NovellaError('database-unreachable', 'put in by the test');
    const { endpoint: conductor } = endpoint({ answer: () => Promise.reject(fault) });
    await expect(conductor.operation_result(RESULT, from(`compute-${HOST}`))).rejects.toBe(fault);
  });
});

describe('that a host is removed', () => {
  it.each([`compute-${HOST}`, null])('is refused from %s', async (userId) => {
    const { endpoint: conductor } = endpoint();
    await expect(conductor.remove_host({ host: HOST }, from(userId))).rejects.toMatchObject({ code: 'sender-refused' });
  });
});
