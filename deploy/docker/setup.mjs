// The first service of docker-compose.yml, which runs and ends: the broker's users, and the image of the guest.
// Passwords are made once and stay. Each user's is a file of its own: those of nova-api and the conductor in one volume,
// those of the hosts in another, so that a host's container does not have what could command other hosts.
import { chown, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { completed, definitions, usersFor } from '../rabbitmq/definitions.mjs';

const MOST_HOSTS = 16;
/** The user `node` of the images. */
const CONTROL_UID = 1000;
const hosts = Array.from({ length: MOST_HOSTS }, (_, index) => `compute-${index + 1}`);
const folderOf = (user) => (user.startsWith('compute-') ? '/users/hosts' : '/users/control');

const passwords = completed(await existing(), usersFor(hosts));
for (const [user, password] of Object.entries(passwords)) {
  const file = `${folderOf(user)}/${user}`;
  await writeFile(file, password, { mode: 0o400 });
  await chown(file, CONTROL_UID, CONTROL_UID);
}
// Salted hashes only: the broker, under its own user, reads it.
await writeFile('/etc/novella/definitions.json', JSON.stringify(definitions({ hosts, passwords })), { mode: 0o644 });
await mkdir('/var/lib/novella/images', { recursive: true });
await cp('/usr/share/novella/images', '/var/lib/novella/images', { recursive: true });
process.stdout.write(`setup: broker users for ${hosts.length} hosts, images\n`);

async function existing() {
  const found = {};
  for (const user of usersFor(hosts)) {
    const text = await readFile(`${folderOf(user)}/${user}`, 'utf8').catch(() => null);
    if (text) found[user] = text;
  }
  return found;
}
