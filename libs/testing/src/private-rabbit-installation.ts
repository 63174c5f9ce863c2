import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

export type RabbitVersion = '3.10' | '4';

/** A RabbitMQ with its Erlang, as files. */
export interface RabbitInstallation {
  readonly erl: string;
  readonly epmd: string;
  /** Its folder of applications, RabbitMQ's own among them. */
  readonly plugins: string;
  /** What `erl` needs to run rabbitmqctl, up to rabbitmqctl's own arguments. */
  readonly controlArguments: readonly string[];
}

const BUILD = join('deploy', 'machine', 'rabbitmq4.mjs');
/** The first time it downloads 40 MB. */
const BUILD_LIMIT_MS = 600_000;
const DEBIAN = '/usr/lib/rabbitmq/lib';

const unpacked = z.object({ erl: z.string(), epmd: z.string(), home: z.string() });

export async function rabbitInstallation(version: RabbitVersion): Promise<RabbitInstallation> {
  const { erl, epmd, home } = await (version === '4' ? unpackedBesideTheSystem() : debianPackage());
  return {
    erl,
    epmd,
    plugins: join(home, 'plugins'),
    controlArguments: [
      ...['+B', '-boot', 'start_clean', '-noinput', '-noshell', '-hidden', '-start_epmd', 'false'],
      ...['-run', 'escript', 'start', '-escript', 'main', 'rabbitmqctl_escript'],
      ...['-extra', join(home, 'escript', 'rabbitmqctl')],
    ],
  };
}

async function debianPackage(): Promise<z.output<typeof unpacked>> {
  const found = (await readdir(DEBIAN).catch(() => [])).find((name) => name.startsWith('rabbitmq_server-'));
  if (found === undefined)
    throw new Error('there is no RabbitMQ: apt-get install --no-install-recommends rabbitmq-server');
  return { erl: '/usr/bin/erl', epmd: '/usr/bin/epmd', home: join(DEBIAN, found) };
}

async function unpackedBesideTheSystem(): Promise<z.output<typeof unpacked>> {
  const script = join(checkout(import.meta.dirname), BUILD);
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: BUILD_LIMIT_MS });
  return unpacked.parse(JSON.parse(stdout));
}

/** The folder above `from` that holds the script: this file also runs from where it was compiled to. */
function checkout(from: string): string {
  if (existsSync(join(from, BUILD))) return from;
  if (dirname(from) === from) throw new Error(`${BUILD} is in no folder above ${import.meta.dirname}`);
  return checkout(dirname(from));
}
