import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { Stack } from './stack.js';

const LONG = 120_000;

export function holdTheirNames(at: () => Stack): void {
  it(
    'a second worker of a host name on another state directory ends with host-name-taken, and the first works on',
    async () => {
      const stack = at();
      const first = stack.compute('host-1');
      await first.says('serving');
      const second = stack.compute('host-1', { NOVELLA_STATE_DIR: join(stack.dir.path, 'state-other') });
      expect(await second.ended).toEqual({ code: 1, signal: null });
      expect(second.stderr).toContain('host-name-taken');
      expect(first.isRunning).toBe(true);
    },
    LONG,
  );

  it(
    'a second worker on the same state directory ends too',
    async () => {
      const second = at().compute('host-1');
      expect((await second.ended).code).toBe(1);
      expect(second.stderr).toContain('state directory');
    },
    LONG,
  );

  it(
    'after kill -9 the host comes up at once under its name, and under another is refused with host-renamed',
    async () => {
      const stack = at();
      await stack.endPrograms();
      const again = stack.compute('host-1');
      await again.says('serving');
      expect(await again.signal('SIGTERM')).toEqual({ code: 0, signal: null });

      const renamed = stack.compute('host-2', { NOVELLA_STATE_DIR: join(stack.dir.path, 'state-host-1') });
      expect((await renamed.ended).code).toBe(1);
      expect(renamed.stderr).toContain('host-renamed');
    },
    LONG,
  );

  it(
    'two conductors work side by side, and a third of a name that is held ends with host-name-taken',
    async () => {
      const stack = at();
      const [one, two] = [stack.conductor('conductor-1'), stack.conductor('conductor-2')];
      await Promise.all([one, two].map((program) => program.says('serving')));
      const third = stack.conductor('conductor-2');
      expect(await third.ended).toEqual({ code: 1, signal: null });
      expect(third.stderr).toContain('host-name-taken');
      expect([one.isRunning, two.isRunning]).toEqual([true, true]);
    },
    LONG,
  );

  it(
    'a worker whose name another got while it was cut off ends at once',
    async () => {
      const stack = at();
      await stack.endPrograms();
      const first = stack.compute('host-1', { NOVELLA_BROKER_HEARTBEAT_S: '1' });
      await first.says('serving');
      await stack.toBroker.close();
      const direct = { NOVELLA_BROKER_URLS: stack.rabbit.url, NOVELLA_STATE_DIR: join(stack.dir.path, 'state-other') };
      const second = stack.compute('host-1', direct);
      await second.says('serving');
      await stack.toBroker.open();
      expect(await first.ended).toEqual({ code: 1, signal: null });
      expect(first.stderr).toBe('');
      const lost = first.log.find(({ msg }) => msg === 'another worker has the name of the host');
      expect(lost).toMatchObject({ level: 'error', host: 'host-1' });
      expect(second.isRunning).toBe(true);
    },
    LONG,
  );
}
