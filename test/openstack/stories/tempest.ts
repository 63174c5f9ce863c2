import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { DeploymentFacts } from '../deployment/facts.js';
import { FLAVOR } from '../deployment/furnish.js';

/** Debian's own, which tempest is installed for. */
const PYTHON = '/usr/bin/python3';

export interface TempestRun {
  readonly code: number;
  /** What unittest has printed: a line for each test, then what failed. */
  readonly output: string;
}

/** Runs tests of OpenStack's own integration suite, unchanged, against the deployment; by their full names. */
export async function runTempest(facts: DeploymentFacts, image: string, tests: readonly string[]): Promise<TempestRun> {
  const folder = join(facts.folder, 'tempest');
  await mkdir(join(folder, 'locks'), { recursive: true });
  await writeFile(join(folder, 'tempest.conf'), configuration(facts, image, folder), { mode: 0o600 });
  const child = spawn(PYTHON, ['-m', 'unittest', '-v', ...tests], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      PYTHONDONTWRITEBYTECODE: '1',
      TEMPEST_CONFIG_DIR: folder,
      TEMPEST_CONFIG: 'tempest.conf',
    },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? 1));
  });
  const [said, complained, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, output: said + complained };
}

/** It makes projects and users of its own for each class of tests, as it does by itself, and asks as those. */
function configuration({ admin, identityUrl }: DeploymentFacts, image: string, folder: string): string {
  return `[DEFAULT]
log_file = tempest.log
log_dir = ${folder}
[oslo_concurrency]
lock_path = ${folder}/locks
[auth]
use_dynamic_credentials = true
create_isolated_networks = false
admin_username = ${admin['OS_USERNAME'] ?? ''}
admin_password = ${admin['OS_PASSWORD'] ?? ''}
admin_project_name = ${admin['OS_PROJECT_NAME'] ?? ''}
admin_domain_name = Default
[identity]
auth_version = v3
uri_v3 = ${identityUrl}
region = ${admin['OS_REGION_NAME'] ?? ''}
[service_available]
cinder = true
nova = true
glance = true
neutron = false
swift = false
[compute]
image_ref = ${image}
image_ref_alt = ${image}
flavor_ref = ${FLAVOR.id}
flavor_ref_alt = ${FLAVOR.id}
build_interval = 1
min_microversion = 2.1
max_microversion = latest
[validation]
run_validation = false
[volume]
volume_size = 1
build_interval = 1
min_microversion = 3.0
max_microversion = latest
[volume-feature-enabled]
extend_attached_volume = true
backup = false
`;
}
