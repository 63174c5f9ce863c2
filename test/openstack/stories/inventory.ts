import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { DeploymentFacts } from '../deployment/facts.js';
import { Apis } from './client.js';

const run = promisify(execFile);

/** Everything of ours that is anywhere in the deployment: a story that has cleared up leaves it as it found it. */
export interface Inventory {
  readonly servers: readonly string[];
  /** Cinder's. */
  readonly volumes: readonly string[];
  readonly attachments: readonly string[];
  /** Ceph's, those in its trash included. */
  readonly images: readonly string[];
  readonly files: readonly string[];
  readonly loopDevices: readonly string[];
  /** Of all hosts: `host domain`, `host domain disk`, `host secret`. */
  readonly domains: readonly string[];
  readonly disks: readonly string[];
  readonly secrets: readonly string[];
}

/** What is there now and was not before, and the other way round. */
export function differences(before: Inventory, now: Inventory): Record<string, { more: string[]; gone: string[] }> {
  const all = Object.entries(now).map(([kind, there]: [string, readonly string[]]) => {
    const was = before[kind as keyof Inventory];
    const more = there.filter((one) => !was.includes(one));
    return [kind, { more, gone: was.filter((one) => !there.includes(one)) }] as const;
  });
  return Object.fromEntries(all.filter(([, { more, gone }]) => more.length + gone.length > 0));
}

const ids = (key: string) => z.object({ [key]: z.array(z.object({ id: z.string() })) });

export async function takeInventory(facts: DeploymentFacts): Promise<Inventory> {
  const api = new Apis(facts, facts.admin);
  const listed = async (key: string, asked: Promise<unknown>) =>
    (ids(key).parse(await asked)[key] ?? []).map(({ id }) => id).sort();
  const hosts = await Promise.all(facts.hosts.map(({ name, libvirtSocket }) => hypervisor(name, libvirtSocket)));
  return {
    servers: await listed('servers', api.compute('/servers?all_tenants=1')),
    volumes: await listed('volumes', api.volume('/volumes?all_tenants=1')),
    attachments: await listed('attachments', api.volume('/attachments?all_tenants=1')),
    images: await images(facts),
    files: (await readdir(facts.volumesDir)).sort(),
    loopDevices: await loopDevices(facts.volumesDir),
    domains: hosts.flatMap(({ domains }) => domains),
    disks: hosts.flatMap(({ disks }) => disks),
    secrets: hosts.flatMap(({ secrets }) => secrets),
  };
}

async function images({ ceph }: DeploymentFacts): Promise<string[]> {
  if (ceph === null) return [];
  const rbd = (...words: string[]) => run('rbd', ['--conf', ceph.configFile, '--pool', ceph.pool, ...words]);
  const [there, trash] = await Promise.all([rbd('ls'), rbd('trash', 'ls', '--all')]);
  return linesOf(there.stdout + trash.stdout);
}

async function loopDevices(folder: string): Promise<string[]> {
  const { stdout } = await run('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
  return linesOf(stdout).filter((file) => file.startsWith(folder));
}

async function hypervisor(host: string, socket: string) {
  const virsh = async (...words: string[]) => {
    const { stdout } = await run('virsh', ['-q', '-c', `qemu+unix:///system?socket=${socket}`, ...words]);
    return linesOf(stdout);
  };
  const domains = await virsh('list', '--all', '--name');
  const disks = await Promise.all(
    domains.map(async (domain) => (await virsh('domblklist', domain)).map((disk) => `${host} ${domain} ${disk}`)),
  );
  const secrets = (await virsh('secret-list')).map((secret) => `${host} ${secret}`);
  return { domains: domains.map((domain) => `${host} ${domain}`), disks: disks.flat(), secrets };
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '')
    .sort();
