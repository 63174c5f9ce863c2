import { describe, expect, it } from '@jest/globals';
import type { HostName } from '@novella/core';
import { flavor, instance, service } from '@novella/testing';
import { chooseHosts, roomNeeded } from './choose-hosts.js';

const need = { vcpus: 2, memoryMib: 1024, diskGib: 10 };
const host = (name: string, memoryUsed: number, over = {}) =>
  service({ host: name as HostName, used: { vcpus: 0, memoryMib: memoryUsed, diskGib: 0 }, ...over });

describe('chooseHosts', () => {
  it('puts the host with the most free memory first and breaks ties by name', () => {
    expect(chooseHosts([host('b', 100), host('a', 100), host('c', 0)], need)).toEqual(['c', 'a', 'b']);
  });

  it.each([
    ['is down', { up: false }],
    ['is disabled', { disabled: true }],
    ['lacks processors', { used: { vcpus: 7, memoryMib: 0, diskGib: 0 } }],
    ['lacks memory', { used: { vcpus: 0, memoryMib: 7169, diskGib: 0 } }],
    ['lacks disk', { used: { vcpus: 0, memoryMib: 0, diskGib: 91 } }],
  ])('leaves out a host that %s', (_, over) => {
    expect(chooseHosts([host('a', 0, over), host('b', 0)], need)).toEqual(['b']);
  });

  it('takes a host that the server fills to the last byte', () => {
    expect(chooseHosts([host('a', 7168)], need)).toEqual(['a']);
  });
});

describe('roomNeeded', () => {
  it('counts root, ephemeral and swap as disk, swap in whole GiB', () => {
    const big = flavor({ vcpus: 2, memoryMib: 512, rootGib: 3, ephemeralGib: 2, swapMib: 1025 });
    expect(roomNeeded(instance({ flavor: big }))).toEqual({ vcpus: 2, memoryMib: 512, diskGib: 7 });
  });
});
