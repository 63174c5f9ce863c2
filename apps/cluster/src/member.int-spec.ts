import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import { MEMBER_OF, waitForLeftovers } from './leftovers.js';
import { Member } from './member.js';

const program = (script: string) => ['-e', script] as const;
const FOREVER = 'process.on("SIGTERM", () => { console.log("asked"); process.exit(0) }); setInterval(() => 0, 1000)';

describe('a member of the cluster', () => {
  let dir: TemporaryDirectory;
  let lines: string[];
  let ends: string[];
  let again: number[];
  let running: Member[];
  beforeEach(async () => {
    dir = await temporaryDirectory();
    [lines, ends, again, running] = [[], [], [], []];
  });
  afterEach(async () => {
    for (const member of running) await member.stop();
    await dir.remove();
  });

  async function started(script: string, environment: Record<string, string> = {}): Promise<Member> {
    const io = {
      logFile: join(dir.path, 'member.log'),
      onLine: (line: string) => void lines.push(line),
      onEnd: (how: string) => void ends.push(how),
      onAgain: (pid: number) => void again.push(pid),
    };
    const member = new Member({ name: 'm', program: program(script), environment, health: '' }, io);
    running.push(member);
    await member.start();
    return member;
  }
  const said = (line: string) => waitUntil(() => lines.includes(line), { what: `the line ${line}` });

  it('hands on what it prints, on both streams, and writes it to its file', async () => {
    const member = await started(`console.log('out'); console.error('err'); ${FOREVER}`);
    await said('out');
    await said('err');
    await member.stop();
    expect((await readFile(join(dir.path, 'member.log'), 'utf8')).split('\n')).toEqual(
      expect.arrayContaining(['out', 'err']),
    );
  });

  it('sees its own environment and not ours', async () => {
    await started(`console.log(Object.keys(process.env).sort().join()); ${FOREVER}`, { NOVELLA_HOST: 'a' });
    await said('NOVELLA_HOST,PATH');
  });

  it('is started again when it is killed', async () => {
    const member = await started(`console.log('up'); ${FOREVER}`);
    await said('up');
    process.kill(member.pid!, 'SIGKILL');
    await waitUntil(() => again.length === 1, { what: 'the second start' });
    expect(ends).toEqual(['was ended by SIGKILL']);
    expect(member.pid).toBe(again[0]);
  });

  it('that ends at once is started again and again, each time later', async () => {
    const pauses: number[] = [];
    const member = new Member(
      { name: 'm', program: program('process.exit(2)'), environment: {}, health: '' },
      {
        logFile: join(dir.path, 'member.log'),
        onLine: () => undefined,
        onEnd: (_how, pause) => void pauses.push(pause),
        onAgain: () => undefined,
      },
    );
    running.push(member);
    await member.start();
    await waitUntil(() => pauses.length === 3, { what: 'three ends' });
    expect(pauses).toEqual([500, 1_000, 2_000]);
  });

  it('is asked to end, and not started again', async () => {
    const member = await started(`console.log('up'); ${FOREVER}`);
    await said('up');
    await member.stop();
    expect({ pid: member.pid, ends, asked: lines.includes('asked') }).toEqual({ pid: null, ends: [], asked: true });
  });

  it('is asked to end when the cluster was killed, and the next one waits for it', async () => {
    const cluster = spawn(process.execPath, [
      ...process.execArgv,
      '--import',
      join(import.meta.dirname, '../../../test/bad-input/typescript.mjs'),
      '--input-type=module',
      '-e',
      `import { Member } from ${JSON.stringify(join(import.meta.dirname, 'member.ts'))};
       const slow = 'process.on("SIGTERM", () => setTimeout(() => process.exit(0), 500)); console.log(process.pid); setInterval(() => 0, 1000)';
       await new Member(
         { name: 'm', program: ['-e', slow], environment: { ${MEMBER_OF}: ${JSON.stringify(dir.path)} }, health: '' },
         { logFile: ${JSON.stringify(join(dir.path, 'log'))}, onLine: (line) => console.log(line), onEnd() {}, onAgain() {} },
       ).start();`,
    ]);
    const [line] = (await once(createInterface({ input: cluster.stdout }), 'line')) as [string];
    cluster.kill('SIGKILL');
    await once(cluster, 'exit');
    const waitedFor: number[] = [];
    expect(await waitForLeftovers(dir.path, (pids) => void waitedFor.push(...pids))).toBe(1);
    expect(waitedFor).toEqual([Number(line)]);
    expect(await waitForLeftovers(dir.path, () => undefined)).toBe(0);
  });
});
