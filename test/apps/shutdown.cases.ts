import { expect, it } from '@jest/globals';
import { allReady, type Apps, startApps } from './start.cases.js';
import type { Program } from './program.js';
import type { Stack } from './stack.js';
import { User } from './user.js';

const LONG = 120_000;
const ENDED_WELL = { code: 0, signal: null };

export function endInOrder(at: () => Stack): void {
  let compute: Program;

  it(
    'a command that runs is finished within the grace, and its result is recorded',
    async () => {
      const stack = at();
      await Promise.all([stack.api(), stack.conductor('conductor-1')].map(serving));
      // What a host reports before there is a conductor is lost until its next report.
      compute = await serving(stack.heldCompute('host-1'));
      const user = new User(stack);
      await user.untilService('nova-compute', 'host-1', 'up');
      const server = await held(compute, user);
      const ending = compute.signal('SIGTERM');
      await compute.says('shutting down');
      compute.tell('release');
      expect(await ending).toEqual(ENDED_WELL);
      await user.untilActive(server);
    },
    LONG,
  );

  it(
    'a command that outlasts the grace is handed back, and done by the next worker',
    async () => {
      const stack = at();
      compute = await serving(stack.heldCompute('host-1', [], { NOVELLA_SHUTDOWN_GRACE_S: '0' }));
      const user = new User(stack);
      const server = await held(compute, user);
      expect(await compute.signal('SIGTERM')).toEqual(ENDED_WELL);
      compute = await serving(stack.heldCompute('host-1'));
      await user.untilActive(server);
      await user.deleteServer(server);
    },
    LONG,
  );

  it(
    'a second signal ends it at once, though a command runs',
    async () => {
      const user = new User(at());
      const server = await held(compute, user);
      const ending = compute.signal('SIGTERM');
      await compute.says('shutting down');
      await compute.signal('SIGINT');
      expect(await ending).toEqual({ code: 1, signal: null });
      compute = await serving(at().heldCompute('host-1'));
      await user.untilActive(server);
      await user.deleteServer(server);
      await at().endPrograms();
    },
    LONG,
  );

  it(
    'all three have loaded what they need and no more, end with 0 when they have nothing to do, and say good-bye',
    async () => {
      const stack = at();
      const apps = await startApps(stack);
      await allReady(apps);
      await loadsOnlyWhatItNeeds(apps);
      const user = new User(stack);
      await user.untilService('nova-compute', 'host-1', 'up');
      await user.untilService('nova-conductor', 'conductor-1', 'up');
      expect(await apps.compute.signal('SIGTERM')).toEqual(ENDED_WELL);
      await user.untilService('nova-compute', 'host-1', 'down');
      expect(await apps.conductor.signal('SIGINT')).toEqual(ENDED_WELL);
      await user.untilService('nova-conductor', 'conductor-1', 'down');
      expect(await apps.api.signal('SIGTERM')).toEqual(ENDED_WELL);
      for (const { log } of [apps.api, apps.conductor, apps.compute]) {
        expect(log.filter(({ level }) => level === 'error')).toEqual([]);
      }
    },
    LONG,
  );

  it(
    'those that still wait for the broker or the database end with 0 too',
    async () => {
      const stack = at();
      await stack.toBroker.close();
      await stack.toDatabase.close();
      const apps = await startApps(stack);
      const endings = [apps.api, apps.conductor, apps.compute].map((program) => program.signal('SIGTERM'));
      expect(await Promise.all(endings)).toEqual([ENDED_WELL, ENDED_WELL, ENDED_WELL]);
      await stack.toBroker.open();
      await stack.toDatabase.open();
    },
    LONG,
  );
}

/** Each of these costs memory that its program has no use for. */
async function loadsOnlyWhatItNeeds({ api, conductor, compute }: Apps): Promise<void> {
  const hypervisors = ['@novella/virt', '@novella/libvirt', '@novella/brick', 'fast-xml-parser'];
  const databases = ['@novella/persistence', 'typeorm', 'pg', 'fastify', '@nestjs/platform-fastify', '@novella/cinder'];
  const services = ['undici', '@novella/glance'];
  const [ofApi, ofConductor, ofCompute] = await Promise.all([api, conductor, compute].map((one) => one.packages()));
  const tests = ['@novella/testing', '@novella/sealing'];
  expect([ofApi, ofConductor, ofCompute].map((loaded) => loaded?.includes('amqplib'))).toEqual([true, true, true]);
  expect(ofApi?.filter((name) => [...hypervisors, ...tests].includes(name))).toEqual([]);
  expect(ofConductor?.filter((name) => [...hypervisors, 'fastify', '@novella/testing'].includes(name))).toEqual([]);
  expect(ofCompute?.filter((name) => [...databases, ...services, '@novella/testing'].includes(name))).toEqual([]);
}

async function serving(program: Program): Promise<Program> {
  await program.says('serving');
  return program;
}

/** A server whose guest is being made at this moment, for as long as the test likes. */
async function held(compute: Program, user: User): Promise<string> {
  compute.tell('hold createGuest');
  const server = await user.createServer();
  await compute.hears('held createGuest');
  return server;
}
