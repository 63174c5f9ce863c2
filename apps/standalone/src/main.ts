import 'reflect-metadata';
import { inspect } from 'node:util';
import { ConfigError, createLog, readConfig, Shutdown, systemClock, systemRandom } from '@novella/service-kit';
import { openHypervisor } from '../../compute/src/hypervisor.js';
import { startStandalone } from './standalone.js';
import { StandaloneConfig } from './standalone.config.js';

/** Exit codes: 0 ended by a signal, 1 failed, 2 wrong configuration (all that is wrong is printed; no port was opened). */
async function main(): Promise<void> {
  const config = readConfig(StandaloneConfig);
  const log = createLog({ name: 'novella', level: config.logLevel });
  const shutdown = new Shutdown({ log, clock: systemClock });
  shutdown.listen();

  const virt = await openHypervisor(config);
  shutdown.onShutdown('hypervisor', () => virt.close());
  const standalone = await startStandalone(config, {
    virt,
    clock: systemClock,
    random: systemRandom,
    log,
    onStateLost: () => process.exit(1),
  });
  shutdown.onShutdown('standalone', () => standalone.stop());
  log.info('serving', { api: standalone.apiUrl, host: config.host, driver: virt.name });
}

main().catch((error: unknown) => {
  const wrongConfig = error instanceof ConfigError;
  // With code, facts and causes, none of which hold secrets.
  process.stderr.write(`novella: ${wrongConfig ? String(error) : inspect(error)}\n`);
  process.exit(wrongConfig ? 2 : 1);
});
