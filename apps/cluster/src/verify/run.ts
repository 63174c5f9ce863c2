import { chaos } from './chaos.js';
import { Deployment } from './deployment.js';
import { Follower } from './follower.js';
import { brokerAway } from './broker-away.js';
import { hostAway } from './host-away.js';
import { holds } from './judge.js';
import { Ledger } from './ledger.js';
import type { Scenario, VerifyOptions } from './options.js';
import { inSeconds, report } from './report.js';
import type { Run, ScenarioResult } from './scenario.js';

const SCENARIOS = {
  chaos,
  'broker-away': brokerAway,
  'host-away': hostAway,
} as const satisfies Record<Scenario, (run: Run) => Promise<ScenarioResult>>;

const PROGRESS_EVERY_MS = 5_000;

export interface RunIo {
  readonly write: (text: string) => void;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Runs a scenario from nothing to its report; answers whether every promise was kept. All that was started has ended. */
export async function verify(options: VerifyOptions, io: RunIo): Promise<boolean> {
  const since = performance.now();
  const say = (text: string): void => io.write(`${inSeconds(performance.now() - since).padStart(8)}  ${text}\n`);
  const failing = new AbortController();
  const signal = AbortSignal.any([io.signal, failing.signal]);
  const ledger = new Ledger();
  const deployment = await Deployment.start(options, { ledger, say, signal });
  let kept = false;
  try {
    const follower = new Follower(deployment.cloud, ledger, signal);
    follower.start();
    let more: () => readonly string[] = () => [];
    const progress = setInterval(() => say(progressLine(ledger, follower, more())), PROGRESS_EVERY_MS);
    const run: Run = {
      ...{ options, deployment, ledger, follower, signal, say },
      progress: (told) => (more = told),
      together: (works) => allOrNone(works, failing),
    };
    try {
      const result = await SCENARIOS[options.scenario](run);
      kept = holds(result.verdict) && result.missed.length === 0;
      io.write(`\n${report({ ...result, ledger, seed: options.seed })}`);
    } finally {
      clearInterval(progress);
      failing.abort(new Error('the run is over'));
    }
  } finally {
    const data = (kept || io.signal.aborted) && !options.keep ? 'remove' : 'keep';
    await deployment.close(data);
    if (data === 'keep') io.write(`logs and data are kept in ${deployment.folder.path}\n`);
  }
  return kept;
}

function progressLine(ledger: Ledger, { open }: Follower, more: readonly string[]): string {
  const [done, failed] = [ledger.count('Success'), ledger.count('Error')];
  return [`accepted ${ledger.accepted.length}`, `done ${done}`, `failed ${failed}`, `open ${open}`, ...more].join('  ');
}

async function allOrNone(works: readonly Promise<unknown>[], failing: AbortController): Promise<void> {
  try {
    await Promise.all(works);
  } catch (error) {
    failing.abort(error);
    await Promise.allSettled(works);
    throw error;
  }
}
