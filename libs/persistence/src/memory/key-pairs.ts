import type { UserId } from '@novella/core';
import type { KeyPair, KeyPairStore, NewKeyPair } from '../key-pair-store.js';
import { storable, storableText } from '../text.js';
import type { Tables } from './tables.js';

export function memoryKeyPairs(db: Tables): KeyPairStore {
  return {
    createKeyPair: (keyPair, most) => db.atomically(() => createKeyPair(db, storable(keyPair), most)),
    keyPairs: (userId, { limit, marker }) =>
      db.atomically(() => {
        const owned = ownedBy(db, userId);
        const after = marker === null ? null : storableText(marker);
        if (after !== null && !owned.some(({ name }) => name === after)) return 'unknown-marker';
        return owned.filter(({ name }) => after === null || name > after).slice(0, limit);
      }),
    keyPair: (userId, name) =>
      db.atomically(() => ownedBy(db, userId).find((row) => row.name === storableText(name)) ?? null),
    deleteKeyPair: (userId, name) =>
      db.atomically(() => {
        const row = ownedBy(db, userId).find((candidate) => candidate.name === storableText(name));
        return row !== undefined && db.keyPairs.delete(row.id) ? 'deleted' : 'not-found';
      }),
  };
}

function createKeyPair(db: Tables, given: NewKeyPair, most: number): KeyPair | 'exists' | 'too-many' {
  const owned = ownedBy(db, given.userId);
  if (owned.length >= most) return 'too-many';
  if (owned.some(({ name }) => name === given.name)) return 'exists';
  const row = { ...given, id: (db.keyPairNumber += 1), createdAt: db.now() };
  db.keyPairs.set(row.id, row);
  return row;
}

const ownedBy = (db: Tables, userId: UserId): KeyPair[] =>
  [...db.keyPairs.values()]
    .filter((row) => row.userId === storableText(userId))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
