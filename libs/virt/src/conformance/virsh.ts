import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { PrivateLibvirtd } from '@novella/testing';

/** What somebody else does at a private libvirtd; answers what virsh says. */
export async function virsh({ socketPath }: PrivateLibvirtd, ...args: readonly string[]): Promise<string> {
  const uri = `qemu+unix:///system?socket=${socketPath}`;
  return (await promisify(execFile)('virsh', ['-q', '-c', uri, ...args])).stdout.trim();
}
