import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCinderDev } from '../../apps/cinder-dev/src/start-cinder-dev.js';
import { cinderContract } from './cinder-contract.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

cinderContract('cinder-dev', async (novaEndpoint) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'cinder-dev-'));
  const cinder = await startCinderDev({ port: 0, dataDir, novaEndpoint, log: quiet });
  return {
    url: cinder.url,
    project: 'd'.repeat(32),
    multiattachType: 'multiattach',
    canDeleteConnectedAttachments: true,
    async close() {
      await cinder.close();
      await rm(dataDir, { recursive: true });
    },
  };
});
