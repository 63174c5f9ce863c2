import type { Account, Identity } from './identity.js';

/** What the stories' servers are made with. */
export const FLAVOR = { id: 'guest', ram: 128, vcpus: 1, disk: 1 };

/** What an operator makes for users once the services run, by their APIs. */
export async function createFlavor(computeUrl: string, { keystone, admin }: Identity): Promise<void> {
  const token = await tokenOf(keystone, admin);
  const answer = await fetch(`${computeUrl}/flavors`, {
    method: 'POST',
    headers: { 'X-Auth-Token': token, 'Content-Type': 'application/json' },
    body: JSON.stringify({ flavor: { name: FLAVOR.id, ...FLAVOR } }),
  });
  if (!answer.ok) throw new Error(`the flavor was not made: ${answer.status} ${await answer.text()}`);
}

const tokenOf = (keystone: Identity['keystone'], { user, project }: Account): Promise<string> =>
  keystone.token(user, { project });
