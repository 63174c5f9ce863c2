import { describe, expect, it } from '@jest/globals';
import type { HostName, ServerId } from '@novella/core';
import { decideEvent, responseStatus } from './decide-events.js';
import type { ExternalEvent } from './external-events.dto.js';

const PLACED = 'abcdef11-0000-4000-8000-000000000000';
const UNPLACED = '22222222-0000-4000-8000-000000000000';
const UNKNOWN = '33333333-0000-4000-8000-000000000000';
const SERVERS = new Map([
  [PLACED as ServerId, { host: 'host-1' as HostName }],
  [UNPLACED as ServerId, { host: null }],
]);
type Name = ExternalEvent['name'];

describe('decideEvent', () => {
  it.each<[Name, string, string | undefined, number, string | null]>([
    ['volume-extended', PLACED, 'v', 200, 'extend'],
    ['volume-extended', UNPLACED, 'v', 422, null],
    ['volume-extended', UNPLACED, undefined, 400, null],
    ['volume-extended', UNKNOWN, 'v', 404, null],
    ['volume-extended', UNKNOWN, undefined, 404, null],
    ['volume-extended', PLACED, undefined, 400, null],
    ['volume-extended', PLACED, '', 200, 'extend'],
    ['volume-extended', PLACED.toUpperCase(), 'v', 404, null],
    ['power-update', PLACED, 'POWER_ON', 200, 'power-update'],
    ['power-update', PLACED, 'POWER_OFF', 200, 'power-update'],
    ['power-update', PLACED, 'power_on', 200, null],
    ['power-update', PLACED, undefined, 400, null],
    ['accelerator-request-bound', PLACED, undefined, 400, null],
    ['accelerator-request-bound', PLACED, 'arq', 200, null],
    ['volume-reimaged', PLACED, undefined, 200, null],
    ['network-changed', PLACED, undefined, 200, null],
    ['network-vif-plugged', UNPLACED, 'port', 422, null],
    ['network-vif-unplugged', PLACED, 'port', 200, null],
    ['network-vif-deleted', PLACED, undefined, 200, null],
  ])('%s for %s with tag %s -> %i, operation %s', (name, server_uuid, tag, code, kind) => {
    const decided = decideEvent({ name, server_uuid, ...(tag === undefined ? {} : { tag }) }, SERVERS);
    expect(decided.code).toBe(code);
    expect(decided.operation?.kind ?? null).toBe(kind);
    expect(decided.status).toBe('completed');
  });

  it('keeps the status that was posted', () => {
    const event = { name: 'network-changed', server_uuid: PLACED, status: 'failed' } as const;
    expect(decideEvent(event, SERVERS)).toMatchObject({ status: 'failed', code: 200, tag: null });
  });
});

describe('responseStatus', () => {
  it.each<[readonly (200 | 400 | 404 | 422)[], number]>([
    [[200], 200],
    [[200, 200], 200],
    [[404], 404],
    [[404, 404], 404],
    [[400], 207],
    [[422], 207],
    [[404, 422], 207],
    [[404, 400], 207],
    [[404, 200], 207],
    [[200, 422], 207],
  ])('%j -> %i', (codes, status) => {
    expect(responseStatus(codes)).toBe(status);
  });
});
