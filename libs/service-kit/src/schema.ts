import { NovellaError } from '@novella/core';

const PROBLEM = {
  missing: 'the database has no schema yet',
  behind: 'the schema of the database is older than this program',
} as const;

/**
 * Takes what the database's schema is for this release. Programs never migrate by themselves: for one that they cannot
 * work on they wait. Error: database-unreachable.
 */
export function schemaMustServe(state: 'missing' | 'behind' | 'current' | 'ahead'): void {
  if (state === 'current' || state === 'ahead') return;
  const message = `${PROBLEM[state]}; \`novella-manage migrate\` brings it up to date`;
  throw new NovellaError('database-unreachable', message, { schema: state });
}
