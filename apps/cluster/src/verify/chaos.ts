import { seededRandom } from '@novella/testing';
import { settle } from './accounting.js';
import { Faults } from './faults.js';
import { Load } from './load.js';
import { recoveryRows } from './recoveries.js';
import { inSeconds } from './report.js';
import type { Run, ScenarioResult } from './scenario.js';
import { schedule } from './schedule.js';
import { attachVolumes, volumesFor } from './volumes.js';

const BATCHES = 0.25;
/** The load ends a little before the faults do. */
const LOAD_SHARE = 0.95;
/** Without faults: events per second. */
const CALM_RATE = 100;

/** Every part is killed, frozen and restarted while events are posted; then all is mended, and every event must end. */
export async function chaos(run: Run): Promise<ScenarioResult> {
  const { options, deployment, ledger, follower, signal, say } = run;
  const { seed, kills, parts, events, lengthS } = options;
  const plan = schedule(seededRandom(seed), { kills, parts, lengthMs: lengthS === null ? null : lengthS * 1_000 });
  const volumes = await attachVolumes(deployment, volumesFor(events, deployment.hosts.length), signal);
  const overMs = plan.faults.length === 0 ? (events / CALM_RATE) * 1_000 : plan.lengthMs * LOAD_SHARE;
  say(`${volumes.length} volumes are attached; ${plan.faults.length} faults come within ${inSeconds(plan.lengthMs)}`);

  const faults = new Faults(deployment, signal);
  run.progress(() => [
    ...(['kill', 'freeze', 'restart'] as const).map((kind) => `${kind}s ${faults.count(kind)}`),
    ...(faults.broken.length === 0 ? [] : [`broken: ${faults.broken.join(' ')}`]),
  ]);
  const { cloud } = deployment;
  // Two streams of chance: what the load takes must not move the faults.
  const random = seededRandom(seed + 1);
  const pace = plan.faults.length === 0 ? {} : { elapsedMs: () => faults.elapsedMs };
  const load = new Load({ cloud, ledger, volumes, random, signal, events, overMs, batches: BATCHES, ...pace });
  const since = performance.now();
  await run.together([load.run(), faults.run(plan.faults)]);
  const brokenForMs = performance.now() - since;
  const { verdict, settledInMs } = await settle(deployment, { ledger, follower, signal });
  const recoveries = recoveryRows(faults.recoveries);
  const late = faults.recoveries.flatMap(({ part, servedAt }) => (servedAt === null ? [part] : []));
  return {
    verdict,
    recoveries,
    more: [
      ['volumes', `${volumes.length} on ${deployment.hosts.length} hosts`],
      [
        'faults',
        `${faults.count('kill')} kills, ${faults.count('freeze')} freezes, ${faults.count('restart')} restarts`,
      ],
      ['time under faults', inSeconds(brokenForMs)],
      [
        'all ended after',
        settledInMs === null ? 'not all have ended' : `${inSeconds(settledInMs)} with everything mended`,
      ],
      ['not back in 90 s', late.length === 0 ? '0' : `${late.length}: ${late.join(', ')}`],
    ],
    missed: [],
  };
}
