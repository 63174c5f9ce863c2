import 'reflect-metadata';
import { Env, readConfig } from '@novella/service-kit';
import { IsOptional, IsString } from 'class-validator';
import { Cluster } from './cluster.js';
import { firstSteps } from './first-steps.js';
import { computeNames, conductorNames } from './members.js';
import { type ClusterOptions, parseOptions, usage } from './options.js';
import { Refusal } from './state-folder.js';
import { Terminal } from './terminal.js';

class Surroundings {
  @Env('XDG_STATE_HOME')
  @IsOptional()
  @IsString()
  readonly stateHome?: string;

  @Env('NO_COLOR')
  @IsOptional()
  @IsString()
  readonly noColour?: string;
}

/** One Ctrl-C arrives up to three times: from the terminal, from npm and from run.mjs. */
const SAME_SIGNAL_MS = 1_000;

const { stateHome, noColour } = readConfig(Surroundings);
const surroundings = { isRoot: process.getuid?.() === 0, stateHome };
const parsed = parseOptions(process.argv.slice(2), surroundings);
switch (parsed.kind) {
  case 'help':
    process.stdout.write(usage(surroundings));
    break;
  case 'wrong':
    process.stderr.write(`${parsed.faults.map((fault) => `cluster: ${fault}\n`).join('')}\n${usage(surroundings)}`);
    process.exitCode = 2;
    break;
  case 'run':
    await run(parsed.options);
}

async function run(options: ClusterOptions): Promise<void> {
  if (options.driver === 'libvirt' && !surroundings.isRoot) {
    const words = process.argv.slice(2).join(' ');
    process.stderr.write(
      `cluster: real guests need root, for a libvirtd of each host:\n  sudo npm run cluster -- ${words}\n`,
    );
    process.stderr.write('without it, with guests in memory:\n  npm run cluster -- --driver fake\n');
    process.exit(3);
  }
  const names = ['nova-api', ...conductorNames(options), ...computeNames(options), 'cinder-dev', 'postgres'];
  const colour = process.stdout.isTTY && noColour === undefined;
  const terminal = new Terminal((text) => void process.stdout.write(text), { names, colour });
  const cluster = new Cluster(options, terminal);
  const stopping = stopOnSignal(cluster, terminal);
  try {
    terminal.plain(firstSteps(await cluster.start()));
  } catch (error) {
    if (!stopping()) {
      terminal.alarm(error instanceof Error ? error.message : String(error));
      process.exitCode = error instanceof Refusal ? 2 : 1;
      await cluster.stop();
      process.exit();
    }
  }
}

/** The first signal ends in order, one that comes later at once; the guards of what still runs then end it. */
function stopOnSignal(cluster: Cluster, terminal: Terminal): () => boolean {
  let since: number | null = null;
  const stop = (): void => {
    if (since !== null) {
      if (performance.now() - since > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    since = performance.now();
    terminal.say('ending everything in order, the data is kept; once more Ctrl-C ends at once');
    void cluster.stop().then(
      () => {
        terminal.say('everything has ended');
        process.exit(0);
      },
      (error: unknown) => {
        terminal.alarm(String(error));
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  return () => since !== null;
}
