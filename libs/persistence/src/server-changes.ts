import type { MetadataChange, TagsChange } from './server-store.js';

/** What both stores decide alike of a server's metadata and tags. */
type Metadata = Readonly<Record<string, string>>;

export function changedMetadata(
  before: Metadata,
  change: MetadataChange,
  most: number,
): Metadata | 'too-many' | 'no-such-key' {
  if (change.kind === 'remove') {
    if (!Object.hasOwn(before, change.key)) return 'no-such-key';
    return Object.fromEntries(Object.entries(before).filter(([key]) => key !== change.key));
  }
  const after = change.kind === 'merge' ? { ...before, ...change.metadata } : change.metadata;
  return Object.keys(after).length > most ? 'too-many' : after;
}

/** Nova counts before it looks whether the tag is there (nova:nova/api/openstack/compute/server_tags.py). */
export function changedTags(
  before: readonly string[],
  change: TagsChange,
  most: number,
): readonly string[] | 'unchanged' | 'too-many' | 'no-such-tag' {
  switch (change.kind) {
    case 'add':
      if (before.length >= most) return 'too-many';
      return before.includes(change.tag) ? 'unchanged' : inOrder([...before, change.tag]);
    case 'remove':
      return before.includes(change.tag) ? before.filter((tag) => tag !== change.tag) : 'no-such-tag';
    case 'replace': {
      const after = inOrder(change.tags);
      return after.length > most ? 'too-many' : after;
    }
  }
}

/** Each once. */
export const inOrder = (tags: readonly string[]): readonly string[] => [...new Set(tags)].sort();

/** The name that the bus gives to the root disk. */
export const rootDeviceName = (diskBus: 'virtio' | 'scsi'): string => (diskBus === 'virtio' ? '/dev/vda' : '/dev/sda');

/** nova:nova/compute/instance_actions.py, and the names of the events under them (wrap_instance_event, prefix api). */
export const LOCK_ACTION = { action: 'lock', event: 'api_lock' } as const;
export const UNLOCK_ACTION = { action: 'unlock', event: 'api_unlock' } as const;
