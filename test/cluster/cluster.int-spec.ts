import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import { ClusterProcess, processesOf, settingsOf } from './cluster-process.js';

const SLOW_MS = 240_000;

interface Answer {
  readonly status: number;
  readonly json: {
    readonly server?: { readonly id: string; readonly status: string };
    readonly servers?: readonly { readonly id: string }[];
    readonly volume?: { readonly id: string; readonly status: string; readonly size: number };
    readonly volumes?: readonly unknown[];
    readonly instanceActions?: readonly { readonly action: string; readonly message: string | null }[];
    readonly services?: readonly { readonly host: string; readonly state: string }[];
  };
}

describe('the cluster without containers', () => {
  let dir: TemporaryDirectory;
  let state: string;
  let cluster: ClusterProcess;
  const words = () => ['--state', state, '--driver', 'fake', '--computes', '2', '--conductors', '1', '--port', '0'];

  beforeAll(async () => {
    dir = await temporaryDirectory();
    // Postgres runs as another user, and must come through.
    await chmod(dir.path, 0o755);
    state = join(dir.path, 'cluster');
    cluster = new ClusterProcess(...words());
    await cluster.up();
  }, SLOW_MS);
  afterAll(async () => {
    await cluster.end('SIGINT');
    await dir.remove();
  }, SLOW_MS);

  async function ask(service: 'NOVA' | 'CINDER', method: string, path: string, body?: object): Promise<Answer> {
    const settings = await settingsOf(state);
    const version = service === 'NOVA' ? 'compute 2.60' : 'volume 3.44';
    const response = await fetch(`${settings[service]}${path}`, {
      method,
      headers: {
        'X-Auth-Token': settings['TOKEN'] ?? '',
        'OpenStack-API-Version': version,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: (text === '' ? {} : JSON.parse(text)) as Answer['json'] };
  }
  const volume = async (id: string) => (await ask('CINDER', 'GET', `/volumes/${id}`)).json.volume;
  const untilVolume = (id: string, status: string, size: number) => {
    const look = async () => {
      const shown = await volume(id);
      return shown?.status === status && shown.size === size;
    };
    return waitUntil(look, { what: `volume ${id} to be ${status} with ${size} GiB` });
  };
  const extendsOf = async (server: string) =>
    ((await ask('NOVA', 'GET', `/servers/${server}/os-instance-actions`)).json.instanceActions ?? []).filter(
      ({ action }) => action === 'extend_volume',
    );

  let server = '';
  let data = '';

  it('says where it serves and how, in files that only its user can read', async () => {
    const settings = await settingsOf(state);
    expect((await ask('NOVA', 'GET', '/os-services?binary=nova-compute')).json.services).toMatchObject([
      { host: 'compute-1', state: 'up' },
      { host: 'compute-2', state: 'up' },
    ]);
    expect(await readFile(settings['OS_CLIENT_CONFIG_FILE'] ?? '', 'utf8')).toContain(settings['NOVA']);
    expect(cluster.said.join('\n')).not.toContain(new URL(settings['NOVELLA_BROKER_URLS'] ?? '').password);
    expect(cluster.said.join('\n')).not.toContain('\u001b');
  });

  it('builds a server, attaches a volume and grows it', async () => {
    const { IMAGE } = await settingsOf(state);
    const asked = { server: { name: 'one', imageRef: IMAGE, flavorRef: '84', networks: 'none' } };
    server = (await ask('NOVA', 'POST', '/servers', asked)).json.server?.id ?? '';
    const isActive = async () => (await ask('NOVA', 'GET', `/servers/${server}`)).json.server?.status === 'ACTIVE';
    await waitUntil(isActive, { what: 'the server to be active' });
    data = (await ask('CINDER', 'POST', '/volumes', { volume: { name: 'data', size: 1 } })).json.volume?.id ?? '';
    await untilVolume(data, 'available', 1);
    await ask('NOVA', 'POST', `/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: data } });
    await untilVolume(data, 'in-use', 1);
    expect((await ask('CINDER', 'POST', `/volumes/${data}/action`, { 'os-extend': { new_size: 2 } })).status).toBe(202);
    await untilVolume(data, 'in-use', 2);
    await waitUntil(async () => (await extendsOf(server)).length === 1, { what: 'the extend in the actions' });
  });

  it('refuses a second cluster in the same folder, and the first goes on', async () => {
    const second = new ClusterProcess(...words(), '--fresh');
    expect(await second.exit).toBe(2);
    expect((await ask('NOVA', 'GET', `/servers/${server}`)).status).toBe(200);
  });

  it('starts a host again that was killed, and says so', async () => {
    const killed = cluster.pidOf('compute-2');
    process.kill(killed, 'SIGKILL');
    await cluster.saysLine(/compute-2 was ended by SIGKILL/);
    await cluster.saysLine(/compute-2 is process \d+ now/);
    expect(cluster.pidOf('compute-2')).not.toBe(killed);
  });

  it(
    'ends in order at Ctrl-C, leaves nothing running, and finds everything again',
    async () => {
      expect(await cluster.end('SIGINT')).toBe(0);
      expect(await processesOf(state)).toEqual([]);
      cluster = new ClusterProcess(...words());
      await cluster.up();
      expect((await ask('NOVA', 'GET', `/servers/${server}`)).json.server?.status).toBe('ACTIVE');
      expect(await volume(data)).toMatchObject({ status: 'in-use', size: 2 });
      expect(await extendsOf(server)).toHaveLength(1);
    },
    SLOW_MS,
  );

  it(
    'leaves nothing running when it is killed, and forgets everything when it is told to',
    async () => {
      await cluster.end('SIGKILL');
      const allHaveEnded = async () => {
        const left = await processesOf(state);
        if (left.length > 0) throw new Error(left.join('\n'));
        return true;
      };
      await waitUntil(allHaveEnded, { what: 'the end of all', timeout: 90_000 });
      cluster = new ClusterProcess(...words(), '--fresh');
      await cluster.up();
      expect((await ask('NOVA', 'GET', '/servers')).json.servers).toEqual([]);
      expect((await ask('CINDER', 'GET', '/volumes')).json.volumes).toEqual([]);
    },
    SLOW_MS,
  );
});

describe('the cluster', () => {
  it('refuses wrong options, all at once, and touches nothing', async () => {
    const dir = await temporaryDirectory();
    const cluster = new ClusterProcess('--computes', '0', '--driver', 'xen', '--state', join(dir.path, 'c'));
    expect(await cluster.exit).toBe(2);
    const faults = cluster.said.filter((line) => line.startsWith('cluster: '));
    expect(faults.map((line) => line.split(' ')[1])).toEqual(['--computes', '--driver']);
    await expect(readFile(join(dir.path, 'c'))).rejects.toMatchObject({ code: 'ENOENT' });
    await dir.remove();
  });

  it('never forgets a folder that is not its own', async () => {
    const dir = await temporaryDirectory();
    await writeFile(join(dir.path, 'letters'), 'dear');
    const cluster = new ClusterProcess('--state', dir.path, '--driver', 'fake', '--port', '0', '--fresh');
    expect(await cluster.exit).toBe(2);
    expect(await readFile(join(dir.path, 'letters'), 'utf8')).toBe('dear');
    await dir.remove();
  });
});
