import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import { manage } from './manage.js';

describe('policy list', () => {
  let directory: TemporaryDirectory;
  let file: string;
  beforeEach(async () => {
    directory = await temporaryDirectory();
    file = join(directory.path, 'policy.yaml');
  });
  afterEach(() => directory.remove());

  const list = async (text: string, ...options: string[]) => {
    writeFileSync(file, text);
    return manage(['policy', 'list', ...options], { NOVELLA_POLICY_FILE: file });
  };

  it('shows each rule in force and where it comes from', async () => {
    const { code, stdout } = await list('admin_api: "role:boss"\n');
    expect(code).toBe(0);
    expect(stdout).toContain(`role:boss`);
    expect(stdout).toMatch(new RegExp(`^admin_api +role:boss +${file}:1$`, 'm'));
    expect(stdout).toMatch(/^context_is_admin +role:admin +code$/m);
  });

  it('shows only what files decide, with --changed, and what nothing asks for', async () => {
    const { stdout } = await list('"os_compute_api:os-services": "!"\nadmin_apy: "@"\n', '--changed', '--json');
    const { rules, warnings } = JSON.parse(stdout) as { rules: { name: string; from: string }[]; warnings: string[] };
    expect(rules.map(({ name, from }) => [name, from])).toEqual([
      ['admin_apy', `${file}:2`],
      ['os_compute_api:os-services', `${file}:1`],
      ...['delete', 'list', 'update'].map((what) => [
        `os_compute_api:os-services:${what}`,
        `${file}:1, by its old name`,
      ]),
    ]);
    expect(warnings).toEqual([
      'warning: policy files call rules by old names: os_compute_api:os-services',
      'warning: policy files have rules that nothing asks for: admin_apy',
    ]);
  });

  it('ends with 2 and names each line that is wrong', async () => {
    const { code, stdout, stderr } = await list('a: role:x\nb:\nc: role:x and\n');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`${file}:2: `);
    expect(stderr).toContain(`${file}:3: `);
  });

  it('ends with 2 where the file is not there', async () => {
    const { code, stderr } = await manage(['policy', 'list'], { NOVELLA_POLICY_FILE: file });
    expect([code, stderr.includes(file)]).toEqual([2, true]);
  });
});
