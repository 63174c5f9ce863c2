import type { Deployment } from './deployment.js';
import type { Follower } from './follower.js';
import type { Verdict } from './judge.js';
import type { Ledger } from './ledger.js';
import type { VerifyOptions } from './options.js';
import type { RecoveryRow } from './recoveries.js';

/** What a scenario works with. */
export interface Run {
  readonly options: VerifyOptions;
  readonly deployment: Deployment;
  readonly ledger: Ledger;
  readonly follower: Follower;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  /** What else the progress lines tell from now on. */
  readonly progress: (more: () => readonly string[]) => void;
  /** As Promise.all, but when one fails the others are ended first. */
  readonly together: (works: readonly Promise<unknown>[]) => Promise<void>;
}

export interface ScenarioResult {
  readonly verdict: Verdict;
  readonly recoveries: readonly RecoveryRow[];
  readonly more: readonly (readonly [string, string])[];
  readonly missed: readonly string[];
}
