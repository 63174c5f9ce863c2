import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type VolumeFormat } from '../state/records.js';

/** QEMU's own tool for its files. The format is always said, never probed. */
const execute = promisify(execFile);

export async function qemuImg(...args: string[]): Promise<string> {
  return (await execute('qemu-img', args, { timeout: 600_000 })).stdout;
}

const info = z.object({
  'virtual-size': z.number(),
  'backing-filename': z.string().optional(),
  'format-specific': z.looseObject({ data: z.looseObject({ 'data-file': z.string().optional() }) }).optional(),
});

/** The size that a guest sees, in bytes. Throws for a file that takes its content from another. */
export async function virtualSize(path: string, format: VolumeFormat): Promise<number> {
  const seen = info.parse(JSON.parse(await qemuImg('info', '--output=json', '-f', format, path)));
  if (seen['backing-filename'] !== undefined || seen['format-specific']?.data['data-file'] !== undefined) {
    throw new Error(`${path} takes its content from another file`);
  }
  return seen['virtual-size'];
}
