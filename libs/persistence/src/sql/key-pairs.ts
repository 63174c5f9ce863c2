import type { UserId } from '@novella/core';
import type { KeyPair, KeyPairStore, NewKeyPair } from '../key-pair-store.js';
import { storable, storableText } from '../text.js';
import type { Database } from './database.js';
import type { KeyPairRow } from './entities/key-pair.entity.js';

export function sqlKeyPairs(db: Database): KeyPairStore {
  return {
    createKeyPair: (keyPair, most) => createKeyPair(db, storable(keyPair), most),
    keyPairs: (userId, { limit, marker }) => keyPairs(db, userId, limit, marker === null ? null : storableText(marker)),
    keyPair: (userId, name) => keyPair(db, userId, storableText(name)),
    deleteKeyPair: async (userId, name) => {
      const rows = await db.query(`delete from key_pair where user_id = $1 and name = $2 returning id`, [
        storableText(userId),
        storableText(name),
      ]);
      return rows.length > 0 ? 'deleted' : 'not-found';
    },
  };
}

/** Two at the same moment may go one over `most`: it keeps the table small and is no promise. */
const CREATE = `
  with owned as materialized (select count(*)::integer as count from key_pair where user_id = $1), written as (
    insert into key_pair (user_id, name, type, public_key, fingerprint)
    select $1, $2, $3, $4, $5 from owned where owned.count < $6
    on conflict (user_id, name) do nothing
    returning *
  )
  select owned.count < $6 as has_room, written.* from owned left join written on true`;

async function createKeyPair(db: Database, given: NewKeyPair, most: number): Promise<KeyPair | 'exists' | 'too-many'> {
  const { userId, name, type, publicKey, fingerprint } = given;
  const [row] = await db.query<{ has_room: boolean } & (KeyPairRow | { id: null })>(CREATE, [
    userId,
    name,
    type,
    publicKey,
    fingerprint,
    most,
  ]);
  if (row === undefined || !row.has_room) return 'too-many';
  return row.id === null ? 'exists' : toKeyPair(row);
}

const PAGE = `
  select k.* from key_pair k
  where k.user_id = $1 and ($3::text is null or k.name > $3)
  order by k.name limit $2`;

async function keyPairs(
  db: Database,
  userId: UserId,
  limit: number,
  marker: string | null,
): Promise<KeyPair[] | 'unknown-marker'> {
  if (marker !== null && (await keyPair(db, userId, marker)) === null) return 'unknown-marker';
  return (await db.query<KeyPairRow>(PAGE, [storableText(userId), limit, marker])).map(toKeyPair);
}

async function keyPair(db: Database, userId: UserId, name: string): Promise<KeyPair | null> {
  const [row] = await db.query<KeyPairRow>(`select * from key_pair where user_id = $1 and name = $2`, [
    storableText(userId),
    name,
  ]);
  return row === undefined ? null : toKeyPair(row);
}

const toKeyPair = (row: KeyPairRow): KeyPair => ({
  id: Number(row.id),
  userId: row.user_id,
  name: row.name,
  type: row.type,
  publicKey: row.public_key,
  fingerprint: row.fingerprint,
  createdAt: row.created_at,
});
