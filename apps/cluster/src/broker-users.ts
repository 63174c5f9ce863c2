import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { CHECKOUT } from './checkout.js';
import type { StateFolder } from './state-folder.js';

const GENERATOR = join(CHECKOUT, 'deploy', 'rabbitmq', 'definitions.mjs');
const passwordsSchema = z.record(z.string(), z.string());

/**
 * Writes the broker's definitions, with a user for nova-api, for the conductors and for each host. Passwords that an
 * earlier run made stay. Answers the password of each user.
 */
export async function brokerUsers(
  { definitions, passwords }: Pick<StateFolder, 'definitions' | 'passwords'>,
  hosts: readonly string[],
): Promise<(user: string) => string> {
  const args = [GENERATOR, '--hosts', hosts.join(','), '--passwords', passwords];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  await writeFile(definitions, stdout, { mode: 0o600 });
  const all = passwordsSchema.parse(JSON.parse(await readFile(passwords, 'utf8')));
  return (user) => {
    const password = all[user];
    if (password === undefined) throw new Error(`the broker has no user ${user}`);
    return password;
  };
}
