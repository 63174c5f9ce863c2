import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { apiUrl, type ClusterFacts } from './members.js';
import type { MemberSpec } from './member.js';

const POLL_MS = 50;
const ASK_LIMIT_MS = 5_000;
const services = z.object({
  services: z.array(z.object({ binary: z.string(), host: z.string(), state: z.string() })),
});

/** Resolves when the member answers that it is ready; rejects with the signal's reason. */
export async function memberReady({ health }: MemberSpec, signal: AbortSignal): Promise<void> {
  while ((await ask(health))?.status !== 200) await pause(signal);
}

/** Resolves when the API says that all these hosts are up. */
export async function hostsUp(
  { ports, identity }: Pick<ClusterFacts, 'ports' | 'identity'>,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const url = `${apiUrl(ports)}/os-services?binary=nova-compute`;
  for (;;) {
    const answer = await ask(url, await identity.token());
    if (answer?.status === 200) {
      const listed = services.parse(JSON.parse(answer.text)).services;
      const up = new Set(listed.filter(({ state }) => state === 'up').map(({ host }) => host));
      if (hosts.every((host) => up.has(host))) return;
    }
    await pause(signal);
  }
}

async function ask(url: string, token?: string): Promise<{ status: number; text: string } | null> {
  try {
    const response = await fetch(url, {
      headers: token === undefined ? {} : { 'X-Auth-Token': token },
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    return null;
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await sleep(POLL_MS);
}
