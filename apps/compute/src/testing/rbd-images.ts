import type { ProcessResult, RunOptions } from '@novella/brick';

/** A Ceph cluster in memory behind the commands of `rbd` that a connector runs: images by `pool/image`, in bytes. */
export class RbdImages {
  readonly sizes = new Map<string, number>();
  /** What each command was given as its key; null: nothing. */
  readonly keys: (string | null)[] = [];

  /** Error: there is no such image. */
  size(path: string): number {
    const size = this.sizes.get(path);
    if (size === undefined) throw new Error(`no image ${path}`);
    return size;
  }

  run(argv: readonly string[], { input }: RunOptions): ProcessResult {
    this.keys.push(input ?? null);
    const after = (option: string): string => argv[argv.indexOf(option) + 1] ?? '';
    const path = `${after('--pool')}/${after('--image')}`;
    const size = this.sizes.get(path);
    if (size === undefined) return { code: 2, stdout: '', stderr: '(2) No such file or directory' };
    if (argv.includes('info')) return { code: 0, stdout: JSON.stringify({ size }), stderr: '' };
    if (!argv.includes('resize')) return { code: 22, stdout: '', stderr: 'unknown command' };
    const wanted = Number.parseInt(after('--size'), 10);
    if (wanted < size)
      return { code: 22, stdout: '', stderr: 'shrinking an image is only allowed with --allow-shrink' };
    this.sizes.set(path, wanted);
    return { code: 0, stdout: '', stderr: '' };
  }
}
