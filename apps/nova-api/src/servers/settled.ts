import type { VmState } from '@novella/core';

/** The states in which Nova lets users change what a server only carries: metadata and tags. */
export const SETTLED: readonly VmState[] = ['active', 'paused', 'suspended', 'stopped'];

/** Of one server. */
export const MOST_TAGS = 50;
