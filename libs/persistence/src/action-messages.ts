import { type ErrorCode, type ErrorRecord, isErrorCode, type WaitingFor } from '@novella/core';

/**
 * What the owner of a server reads in the `message` of an instance action: why it has failed or does not go on. Fixed
 * sentences, for an error's own text may name hosts, paths and addresses, which are for operators (the event's details).
 * Nova writes "Error" there and nothing more, and nothing while it waits; a failure's message begins with that word still.
 */
export const failedMessage = ({ code }: Pick<ErrorRecord, 'code'>): string => `Error: ${MEANS[code]} (${code})`;

/** `code`: of the error that it waits after; null or another word: there was none. */
export function waitingMessage(waitingFor: WaitingFor, code: string | null): string {
  const reason = code !== null && isErrorCode(code) ? `: ${MEANS[code]} (${code})` : '';
  return `Waiting for ${WAITS_FOR[waitingFor]}${reason}`;
}

const WAITS_FOR = {
  api: 'the request to be completed',
  host: "the server's host",
  'server-task': 'another operation of the server or the volume',
  migration: 'a migration, backup or block job of the server',
  paths: "the volume's paths on the host",
  cinder: 'the volume service',
  'guest-start': 'the server to be resumed',
  retry: 'the next try',
} as const satisfies Record<WaitingFor, string>;

const MEANS = {
  'host-device-missing': 'the volume is not to be found on the host',
  'host-device-too-small': 'the volume has not yet grown on the host',
  'paths-down': 'paths of the volume are down on the host',
  'path-outside-roots': 'the host may not use the volume where it is',
  'connector-unsupported': 'the host cannot connect volumes of this kind',
  'connection-info-invalid': 'the volume service says nothing usable about how to reach the volume',
  'hypervisor-unreachable': 'the hypervisor does not answer',
  'hypervisor-refused': 'the hypervisor has refused',
  'domain-not-found': 'the guest is not on its host',
  'domain-not-ours': 'another guest has the name of this one on the host',
  'guest-disk-missing': 'the guest does not have the disk',
  'guest-size-not-reached': 'the guest does not see the new size',
  'guest-busy': 'the guest is busy',
  'extend-unsupported': 'the hypervisor cannot grow a disk while the server runs',
  'disk-cannot-grow': 'a disk of this kind cannot grow',
  'image-not-found': 'there is no such image',
  'image-refused': 'the image cannot be used',
  'image-not-active': 'the image is not active',
  'image-download-failed': 'the image could not be brought to the host',
  'image-data-wrong': 'what came for the image is not what the image service says of it',
  'host-disk-full': 'the disk of the host is full',
  'flavor-too-small': 'the flavor is too small for the image',
  'no-valid-host': 'no host has room for the server',
  'host-state-lost': 'the host has lost what it knew of its commands',
  'host-name-taken': 'two hosts have the same name',
  'host-renamed': 'the host has another name now',
  'sender-refused': 'the answer came from somebody who may not give it',
  'secret-unreadable': "the host cannot read the volume's secret",
  'volume-key-missing': 'a key that the volume needs is not there',
  'encryption-unsupported': 'volumes that are encrypted in this way cannot be opened',
  'key-manager-unsupported': 'the key of the volume is where it cannot be asked for',
  'volume-not-attached': 'the volume is not attached to the server',
  'volume-detached': 'the volume is being detached, or was',
  'volume-not-found': 'there is no such volume',
  'server-deleted': 'the server is being deleted, or was',
  'server-rebooted': 'a reboot that was asked for later came first',
  'server-has-no-host': 'the server is on no host',
  'event-unsupported': 'the hypervisor cannot do this',
  'cinder-unreachable': 'the volume service does not answer',
  'cinder-refused': 'the volume service has refused',
  'cinder-unauthorized': 'the volume service does not accept who we are',
  'cinder-answer-invalid': 'the volume service does not answer as it should',
  'keystone-unreachable': 'the identity service does not answer',
  'keystone-refused': 'the identity service does not accept who we are',
  'keystone-answer-invalid': 'the identity service does not answer as it should',
  'endpoint-not-found': 'the catalog does not have the service',
  'image-service-unreachable': 'the image service does not answer',
  'image-service-unauthorized': 'the image service does not accept who we are',
  'image-service-answer-invalid': 'the image service does not answer as it should',
  'broker-unreachable': 'the message broker does not answer',
  'broker-refused': 'the message broker has refused',
  'rpc-timeout': 'the host has not answered in time',
  'rpc-no-route': 'nothing takes messages for the host',
  'rpc-message-invalid': 'the command could not be understood',
  'rpc-remote-failure': 'the host has failed to answer',
  'database-unreachable': 'the database does not answer',
  'command-stale': 'a newer command was there first',
  internal: 'something went wrong that should not',
} as const satisfies Record<ErrorCode, string>;
