import { beforeAll, expect, it } from '@jest/globals';
import { freePort } from '@novella/testing';
import { manage } from '../../apps/manage/src/manage.js';
import { healthOf, type Program, untilHealth, untilReason } from './program.js';
import { allReady, type Apps, startApps } from './start.cases.js';
import type { Stack } from './stack.js';
import { User } from './user.js';

const LONG = 120_000;

export function outliveOutages(at: () => Stack): void {
  let apps: Apps;
  let user: User;
  beforeAll(async () => {
    apps = await startApps(at());
    user = new User(at());
    await allReady(apps);
    await user.untilService('nova-compute', 'host-1', 'up');
    await user.getsServer();
  }, LONG);

  it(
    'the broker restarted: all are degraded meanwhile, and all consume again afterwards',
    async () => {
      await at().rabbit.halt();
      for (const url of Object.values(apps.health)) {
        const seen = await untilReason(url, 'broker', /broker-unreachable/);
        expect([seen.status, seen.report.state]).toEqual([200, 'degraded']);
      }
      const accepted = await user.createServer();
      await at().rabbit.start();
      await allReady(apps);
      await user.untilActive(accepted);
      await user.deleteServer(accepted);
      await user.getsServer();
    },
    LONG,
  );

  it(
    'Postgres restarted: the API is 503 and then 200, in the same processes (rule 6.8b)',
    async () => {
      await at().stopPostgres();
      for (const url of [apps.health.api, apps.health.conductor]) {
        const seen = await untilReason(url, 'database', /database-unreachable/);
        expect([seen.status, seen.report.state]).toEqual([503, 'not-ready']);
        expect((await healthOf(`${url}/live`)).status).toBe(200);
      }
      expect((await user.ask('GET', '/servers')).status).toBe(503);
      await at().startPostgres();
      await allReady(apps);
      expect((await user.ask('GET', '/servers')).status).toBe(200);
      await user.getsServer();
    },
    LONG,
  );

  it(
    "a broker that takes no messages: the API accepts, degraded, with the broker's own reason (rules 2.1c, 6.8b)",
    async () => {
      await at().rabbit.rabbitmqctl('set_vm_memory_high_watermark', '0');
      const accepted = await user.createServer();
      const seen = await untilReason(apps.health.api, 'broker', /memory/);
      expect([seen.status, seen.report.state]).toEqual([200, 'degraded']);
      await at().rabbit.rabbitmqctl('set_vm_memory_high_watermark', '0.6');
      await untilHealth(apps.health.api, 'ready');
      await user.untilActive(accepted);
      await user.deleteServer(accepted);
    },
    LONG,
  );

  it('`host ping` is answered through the broker, and says why when it is not', async () => {
    const env = { NOVELLA_BROKER_URLS: at().brokerUrl };
    const there = await manage(['host', 'ping', 'host-1', '--json'], env);
    expect([there.code, JSON.parse(there.stdout)]).toMatchObject([0, { host: 'host-1' }]);
    const nobody = await manage(['host', 'ping', 'host-9', '--json'], env);
    expect([nobody.code, JSON.parse(nobody.stdout)]).toMatchObject([1, { error: { code: 'rpc-no-route' } }]);
    const nowhere = { NOVELLA_BROKER_URLS: `amqp://127.0.0.1:${await freePort()}/` };
    const away = await manage(['host', 'ping', 'host-1', '--timeout', '0.5', '--json'], nowhere);
    expect([away.code, JSON.parse(away.stdout)]).toMatchObject([1, { error: { code: 'broker-unreachable' } }]);
  });

  it('hosts and operations can be listed and shown', async () => {
    const env = { NOVELLA_DATABASE_URL: at().databaseUrl };
    const server = await user.getsServer();
    const hosts = await manage(['host', 'list', '--json'], env);
    expect(JSON.parse(hosts.stdout)).toMatchObject([{ host: 'host-1', state: 'up', enabled: true }]);
    const listed = await manage(['operation', 'list', '--server', server, '--json'], env);
    const operations = JSON.parse(listed.stdout) as { id: string; kind: string; state: string }[];
    expect(operations).toMatchObject([
      { kind: 'delete', state: 'succeeded' },
      { kind: 'build', state: 'succeeded' },
    ]);
    const shown = await manage(['operation', 'show', operations[0]?.id ?? ''], env);
    expect(shown.stdout).toMatch(/^state: +succeeded$/m);
    expect((await manage(['operation', 'list', '--open', '--json'], env)).stdout).toBe('[]\n');
  });

  it(
    'a hypervisor that is away at the start is waited for, and one that goes away later degrades its host',
    async () => {
      const compute: Program = at().heldCompute('host-3', ['away']);
      const url = String((await compute.says('the health is served'))['url']);
      expect((await untilReason(url, 'commands', /waits for the hypervisor/)).status).toBe(503);
      await untilReason(url, 'hypervisor', /hypervisor-unreachable/);
      compute.tell('back');
      await untilHealth(url, 'ready');
      compute.tell('away');
      const gone = await untilReason(url, 'hypervisor', /hypervisor-unreachable/);
      expect([gone.status, gone.report.state]).toEqual([200, 'degraded']);
      compute.tell('back');
      await untilHealth(url, 'ready');
    },
    LONG,
  );
}
