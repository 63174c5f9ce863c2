import { millis, NovellaError, seconds } from '@novella/core';
import { migrate as bringUpToDate } from '@novella/persistence';
import { readConfig, systemClock } from '@novella/service-kit';
import { type Command, secondsOf } from './command.js';
import { withStore } from './database.js';
import { seedFlavors } from './seed-flavors.js';
import { DatabaseSettings } from './settings.js';

const PAUSE = millis(250);

export const migrate: Command = {
  usage: 'migrate',
  summary: 'brings the schema up to date, and makes flavors where there is none',
  options: { wait: { type: 'string' } },
  async run(_args, options, env) {
    const { databaseUrl } = readConfig(DatabaseSettings, env);
    const applied = await migrateWithin(databaseUrl, secondsOf('wait', options['wait'], 0));
    const flavors = await withStore(env, seedFlavors);
    const done = applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`;
    const text = flavors === 0 ? done : `${done}; made ${flavors} flavors`;
    return { text, json: { applied, flavors } };
  },
};

/** Waits so long for a database that is not there yet. */
async function migrateWithin(url: string, waitS: number): Promise<string[]> {
  const end = systemClock.monotonic() + seconds(waitS);
  for (;;) {
    try {
      return await bringUpToDate(url);
    } catch (error) {
      const away = error instanceof NovellaError && error.code === 'database-unreachable';
      if (!away || systemClock.monotonic() >= end) throw error;
    }
    await systemClock.sleep(PAUSE);
  }
}
