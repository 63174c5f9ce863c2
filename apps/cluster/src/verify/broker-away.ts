import { seededRandom } from '@novella/testing';
import { settle } from './accounting.js';
import { Load } from './load.js';
import { inSeconds } from './report.js';
import type { Run, ScenarioResult } from './scenario.js';
import { attachVolumes, volumesFor } from './volumes.js';
import { pause } from './waiting.js';

const BATCHES = 0.25;
const LOAD_SHARE = 0.9;
const DONE_BAR_MS = 60_000;

/** The broker is killed and stays away while events are posted: each is accepted, and all are done soon after its return. */
export async function brokerAway(run: Run): Promise<ScenarioResult> {
  const { options, deployment, ledger, follower, signal, say } = run;
  const { seed, events, awayS } = options;
  const volumes = await attachVolumes(deployment, volumesFor(events, deployment.hosts.length), signal);
  say(`${volumes.length} volumes are attached; the broker goes away for ${awayS} s`);
  const { cloud } = deployment;
  const awayMs = awayS * 1_000;
  const load = new Load({
    ...{ cloud, ledger, volumes, signal, events },
    random: seededRandom(seed),
    overMs: awayMs * LOAD_SHARE,
    batches: BATCHES,
  });
  const broker = deployment.part('rabbitmq').kill(awayMs);
  // So that the first event meets no broker.
  await pause(500, signal);
  let acceptedAt = 0;
  const loaded = load.run().then(() => (acceptedAt = performance.now()));
  let backAt = 0;
  await run.together([loaded, broker.then((at) => (backAt = at))]);
  const backOnClock = Date.now() - (performance.now() - backAt);
  say('the broker is back');
  const { verdict } = await settle(deployment, { ledger, follower, signal });
  const lastEnd = [...ledger.endings.values()].reduce((last, { finishedAt }) => Math.max(last, finishedAt), 0);
  const doneInMs = Math.max(0, lastEnd - backOnClock);
  const refused = [...ledger.refusedPosts.values()].reduce((sum, count) => sum + count, 0);
  const acceptedAway = acceptedAt <= backAt;
  return {
    verdict,
    recoveries: [],
    more: [
      ['broker away', `${awayS} s`],
      ['all accepted', acceptedAway ? `${inSeconds(backAt - acceptedAt)} before its return` : 'not before its return'],
      ['all done', `${inSeconds(doneInMs)} after its return`],
    ],
    missed: [
      ...(refused > 0 ? [`${refused} POSTs were not accepted at once`] : []),
      ...(acceptedAway ? [] : ['the events were not all posted while the broker was away']),
      ...(doneInMs > DONE_BAR_MS
        ? [`all done ${inSeconds(doneInMs)} after its return, not ${inSeconds(DONE_BAR_MS)}`]
        : []),
    ],
  };
}
