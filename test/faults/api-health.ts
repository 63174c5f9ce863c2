import type { HealthReport } from '@novella/service-kit';
import { waitUntil } from '@novella/testing';
import type { Region } from './region.js';

export interface ApiHealth {
  readonly status: number;
  readonly state: HealthReport['state'];
  /** What the part says is wrong with it. */
  readonly reasonOf: (part: string) => string | null;
}

export async function apiHealth({ apiUrl }: Region): Promise<ApiHealth> {
  const answer = await fetch(`${apiUrl}/health`);
  const report = (await answer.json()) as HealthReport;
  const reasonOf = (part: string) => report.parts.find(({ name }) => name === part)?.reason ?? null;
  return { status: answer.status, state: report.state, reasonOf };
}

export function untilHealth(region: Region, state: HealthReport['state']): Promise<ApiHealth> {
  const look = async () => {
    const health = await apiHealth(region);
    return health.state === state && health;
  };
  return waitUntil(look, { what: `the API to be ${state}`, every: 50, timeout: 60_000 });
}
