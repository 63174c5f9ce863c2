#!/usr/bin/env node
// Writes what RabbitMQ must know of a deployment: its users, what each may do, the exchanges that a host may use but not
// make, and the policies. Users are as narrow as the roles of design and docs/operators.md have them: a host may send to
// the conductors and to itself, answer who asked it, and read its own commands; nothing else.
//
//   node deploy/rabbitmq/definitions.mjs --hosts compute-1,compute-2 --passwords passwords.json > definitions.json
//
//   --hosts NAMES        the hosts' names (NOVELLA_HOST), with commas
//   --passwords FILE     JSON of user -> password; users that it lacks get one, and the file is written anew (mode 0600)
//   --vhost NAME         the virtual host; `/` unless given
//   --delivery-limit N   how often a message may come back before it is a dead letter; 20 unless given, 0: for ever
//
// Load it at the broker's start (`load_definitions` in rabbitmq.conf) or any time with `rabbitmqctl import_definitions`:
// importing adds and changes, and takes nothing away, so a new host is one more run.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const HOST = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const REPLY = 'reply_[0-9a-f]{32}';
const LONGEST_DEAD_LETTERS = 10_000;

/** The users of a deployment with these hosts. */
export const usersFor = (hosts) => ['nova-api', 'conductor', ...hosts.map((host) => `compute-${host}`)];

/**
 * RabbitMQ's definitions as an object. `passwords` has one for each of `usersFor(hosts)`; only their salted hashes go
 * into the answer.
 */
export function definitions({ hosts, passwords, vhost = '/', deliveryLimit = 20 }) {
  for (const host of hosts)
    if (!HOST.test(host) || host.endsWith('.lock')) throw new Error(`${JSON.stringify(host)} is no host name`);
  const inVhost = { vhost };
  const roles = [novaApi(), conductor(), ...hosts.map(compute)];
  return {
    vhosts: [{ name: vhost }],
    users: roles.map(({ user }) => ({
      name: user,
      password_hash: passwordHash(passwords[user] ?? missing(user)),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: [],
    })),
    permissions: roles.map(({ user, configure, write, read }) => ({ user, ...inVhost, configure, write, read })),
    topic_permissions: roles.map(({ user, topics }) => ({ user, ...inVhost, exchange: 'nova', ...topics })),
    exchanges: [
      exchange('nova', 'topic'),
      exchange('nova_dead_letter', 'fanout'),
      exchange('nova_given_up', 'headers'),
    ].map((one) => ({ ...one, ...inVhost })),
    queues: [
      {
        name: 'nova_dead_letter',
        ...inVhost,
        durable: true,
        auto_delete: false,
        arguments: { 'x-queue-type': 'quorum' },
      },
    ],
    bindings: [
      binding('nova_dead_letter', {}),
      // Hints and reports expire by design; only what came back too often is worth keeping.
      // `any` alone looks at no header that begins with x-.
      binding('nova_given_up', { 'x-match': 'any-with-x', 'x-first-death-reason': 'delivery_limit' }),
    ].map((one) => ({ ...one, ...inVhost })),
    policies: [
      policy('novella-commands', '^(conductor|compute\\..+)$', {
        'dead-letter-exchange': 'nova_given_up',
        ...(deliveryLimit === 0 ? {} : { 'delivery-limit': deliveryLimit }),
      }),
      policy('novella-dead-letters', '^nova_dead_letter$', {
        'max-length': LONGEST_DEAD_LETTERS,
        overflow: 'drop-head',
      }),
    ].map((one) => ({ ...one, ...inVhost })),
  };
}

/** nova-api hints, and calls hosts for what a user reads of them. */
const novaApi = () => ({
  user: 'nova-api',
  configure: `^(nova|${REPLY})$`,
  write: `^(nova|${REPLY})$`,
  read: `^(nova|${REPLY})$`,
  topics: { write: '^(conductor|compute\\..+)$', read: `^${REPLY}$` },
});

/** A conductor commands every host, and removes the queues of those that are gone. */
const conductor = () => ({
  user: 'conductor',
  configure: `^(nova|nova_dead_letter|conductor(\\..+)?|compute\\..+|${REPLY})$`,
  write: `^(nova|nova_dead_letter|conductor(\\..+)?|${REPLY})$`,
  read: `^(nova|nova_dead_letter|conductor(\\..+)?|${REPLY})$`,
  topics: { write: `^(conductor|compute\\..+|${REPLY})$`, read: `^(conductor|${REPLY})$` },
});

/**
 * What it may make is its own queue and its name; exchanges it finds. It may send to its own queue, through which it
 * proves that it hears, and to no other host's.
 */
function compute(host) {
  const queue = `compute\\.${host.replaceAll('.', '\\.')}`;
  return {
    user: `compute-${host}`,
    configure: `^${queue}(\\.lock)?$`,
    write: `^(nova|nova_dead_letter|${queue}(\\.lock)?)$`,
    read: `^(nova|${queue}(\\.lock)?)$`,
    topics: { write: `^(conductor|${queue}|${REPLY})$`, read: `^${queue}$` },
  };
}

const exchange = (name, type) => ({ name, type, durable: true, auto_delete: false, internal: false, arguments: {} });

const binding = (source, args) => ({
  source,
  destination: 'nova_dead_letter',
  destination_type: 'queue',
  routing_key: '',
  arguments: args,
});

const policy = (name, pattern, definition) => ({ name, pattern, 'apply-to': 'queues', priority: 0, definition });

/** As rabbit_password_hashing_sha256: four bytes of salt before the digest of salt and password. */
export function passwordHash(password, salt = randomBytes(4)) {
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}

const missing = (user) => {
  throw new Error(`there is no password for ${user}`);
};

/** Those of the file, and a new one for each user that it lacks. */
export function completed(passwords, users) {
  const fresh = users.filter((user) => passwords[user] === undefined);
  return { ...passwords, ...Object.fromEntries(fresh.map((user) => [user, randomBytes(24).toString('base64url')])) };
}

function readPasswords(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw new Error(`${file}: ${error.message}`);
  }
}

function main() {
  const { values } = parseArgs({
    options: {
      hosts: { type: 'string' },
      passwords: { type: 'string' },
      vhost: { type: 'string', default: '/' },
      'delivery-limit': { type: 'string', default: '20' },
    },
  });
  const { hosts: names, passwords: file } = values;
  const deliveryLimit = Number(values['delivery-limit']);
  if (names === undefined || file === undefined) throw new Error('--hosts and --passwords must be given');
  if (!Number.isSafeInteger(deliveryLimit) || deliveryLimit < 0) throw new Error('--delivery-limit must be 0 or more');
  const hosts = names.split(',').filter((name) => name !== '');
  const passwords = completed(readPasswords(file), usersFor(hosts));
  const answer = definitions({ hosts, passwords, vhost: values.vhost, deliveryLimit });
  writeFileSync(`${file}.partial`, `${JSON.stringify(passwords, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.partial`, file);
  process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    main();
  } catch (error) {
    process.stderr.write(`definitions: ${error.message}\n`);
    process.exitCode = 2;
  }
}
