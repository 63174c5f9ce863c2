import { inspect } from 'node:util';
import { type Clock, type Log, millis, type Millis, NovellaError, type Random, seconds } from '@novella/core';
import { systemClock, systemRandom } from './clock.js';
import { ConfigError, readConfig } from './config.js';
import { Health } from './health.js';
import { createLog, type LogLevel } from './log.js';
import { redactText } from './redact.js';
import { Shutdown } from './shutdown.js';

/** What every program's settings have. */
export interface ProgramConfig {
  readonly logLevel: LogLevel;
  /** How long what is running may take to finish after SIGTERM or SIGINT; the rest is handed back. */
  readonly shutdownGraceS: number;
}

/** What a program has from its first line on. */
export interface Program {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly health: Health;
  readonly shutdown: Shutdown;
}

/** After the grace, for what must still be said and for the links to close. */
const CLOSING = seconds(10);

/**
 * Reads the settings, then starts the program; it ends by a signal. Exit codes: 0 ended by a signal, 1 could not start or
 * could not go on, 2 wrong settings (all that is wrong is printed; nothing was opened).
 */
export async function runProgram<C extends ProgramConfig>(
  name: string,
  ConfigClass: new () => C,
  start: (config: Readonly<C>, program: Program) => Promise<void>,
): Promise<void> {
  let shutdown: Shutdown | null = null;
  try {
    const config = readConfig(ConfigClass);
    const log = createLog({ name, level: config.logLevel });
    const grace = millis(seconds(config.shutdownGraceS) + CLOSING);
    shutdown = new Shutdown({ log, clock: systemClock, grace });
    shutdown.listen();
    await start(config, { clock: systemClock, random: systemRandom, log, health: new Health(), shutdown });
  } catch (error) {
    // A signal while it started: the shutdown ends the process.
    if (shutdown?.signal.aborted === true) return;
    process.stderr.write(`${name}: ${printed(error)}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

/** What is expected to go wrong is told in a line for each cause; for the rest it is worth to know where. */
export function printed(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (!(error instanceof NovellaError)) return redactText(inspect(error));
  const facts = Object.keys(error.facts).length === 0 ? '' : ` ${JSON.stringify(error.facts)}`;
  const cause = error.cause === undefined ? '' : `\n  because: ${printed(error.cause).split('\n', 1)[0] ?? ''}`;
  return redactText(`${error.code}: ${error.message}${facts}${cause}`);
}

/** True when `work` ended in time; what it throws then is thrown. What comes later is only logged. */
export async function endsWithin(
  limit: Millis,
  work: Promise<unknown>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<boolean> {
  const ended = new AbortController();
  const late = clock.sleep(limit, ended.signal).then(
    () => false,
    () => true,
  );
  const done = work.then(() => true);
  const inTime = await Promise.race([done, late]).finally(() => ended.abort());
  if (!inTime) done.catch((error: unknown) => log.warn('what outlasted its limit has failed', { error }));
  return inTime;
}
