import { ConfigError, createLog, Shutdown, systemClock } from '@novella/service-kit';
import { readCinderDevConfig } from './config.js';
import { startCinderDev } from './start-cinder-dev.js';

async function main(): Promise<void> {
  const config = readCinderDevConfig();
  const log = createLog({ name: 'cinder-dev', level: config.logLevel });
  const shutdown = new Shutdown({ log, clock: systemClock });
  const cinder = await startCinderDev({ ...config, novaHeaders: { 'X-Auth-Token': config.novaToken }, log });
  shutdown.onShutdown('cinder-dev', () => cinder.close());
  shutdown.listen();
}

main().catch((error: unknown) => {
  const text =
    error instanceof ConfigError || !(error instanceof Error) ? String(error) : (error.stack ?? error.message);
  process.stderr.write(`cinder-dev cannot start: ${text}\n`);
  process.exit(1);
});
