/**
 * Microversions 2.1 to 2.96, held as their minor number. Mirrors nova:nova/api/openstack/api_version_request.py.
 * `SINCE` and `UNTIL` say what changes where; views, request schemas and controllers look there and nowhere else.
 */
export type Microversion = number & { readonly __unit: 'microversion' };

const minor = (number: number): Microversion => number as Microversion;

export const MIN_MICROVERSION = minor(1);
/** The highest that holds on every route served; raising it means going through each release note in between. */
export const MAX_MICROVERSION = minor(96);

export const formatMicroversion = (version: Microversion): string => `2.${version}`;

/** First microversion with the change. */
export const SINCE = {
  'keypairs.type': minor(2),
  'servers.extended-attributes': minor(3),
  'servers.volumes-attached.delete-on-termination': minor(3),
  'servers.list.ip6': minor(5),
  'flavors.no-access-to-public': minor(7),
  'servers.locked': minor(9),
  'keypairs.of-another-user': minor(10),
  'services.forced-down': minor(11),
  'servers.host-status': minor(16),
  'servers.description': minor(19),
  'actions.of-deleted-servers': minor(21),
  'servers.tags': minor(26),
  'hypervisors.cpu-info-object': minor(28),
  'servers.create.first-device-tags': minor(32),
  'hypervisors.paging': minor(33),
  'keypairs.paging': minor(35),
  /** The proxies of networks and images went; so did their quotas. */
  'quotas.without-networks': minor(36),
  'servers.create.networks-required': minor(37),
  'servers.list.status-checked': minor(38),
  'limits.without-image-metadata': minor(39),
  'servers.create.device-tags': minor(42),
  'servers.flavor-embedded': minor(47),
  'attachments.create.tag': minor(49),
  'events.volume-extended': minor(51),
  'actions.events-for-everybody': minor(51),
  'servers.create.tags': minor(52),
  /** Services and hypervisors go by uuid; searching them moves into queries. */
  'hosts.by-uuid': minor(53),
  'flavors.description': minor(55),
  'quotas.without-files': minor(57),
  'actions.updated-at-and-paging': minor(58),
  multiattach: minor(60),
  'flavors.extra-specs': minor(61),
  'actions.event-host': minor(62),
  'servers.trusted-certificates': minor(63),
  'changes-before': minor(66),
  'servers.create.volume-type': minor(67),
  'attachments.tag': minor(70),
  'servers.server-groups': minor(71),
  'servers.locked-reason': minor(73),
  'servers.create.requested-host': minor(74),
  'strict-queries': minor(75),
  /** The answer to a change of a server has all that a GET has. */
  'servers.update.shows-all': minor(75),
  'flavors.swap-number': minor(75),
  'hypervisors.empty-servers': minor(75),
  'events.power-update': minor(76),
  'attachments.delete-on-termination': minor(79),
  'events.accelerator-request-bound': minor(82),
  'servers.list.more-filters': minor(83),
  'actions.event-details': minor(84),
  /** What an attachment is can be sent back, and delete_on_termination be changed; before, PUT swaps volumes. */
  'attachments.update': minor(85),
  'flavors.extra-specs-checked': minor(86),
  'hypervisors.uptime': minor(88),
  'attachments.ids': minor(89),
  'servers.hostname': minor(90),
  'keypairs.imported-only': minor(92),
  'events.volume-reimaged': minor(93),
  'servers.hostname-fqdn': minor(94),
  'servers.pinned-availability-zone': minor(96),
} as const satisfies Record<string, Microversion>;

/** Last microversion with what was taken away after it. */
export const UNTIL = {
  'services.by-host-and-binary': minor(52),
  'hypervisors.search-routes': minor(52),
  'servers.create.personality': minor(56),
  /** What hosts have and use, and its sums; also the route of the uptime. */
  'hypervisors.capacity': minor(87),
  'keypairs.generation': minor(91),
  'servers.hostname-short': minor(93),
} as const satisfies Record<string, Microversion>;

export type Change = keyof typeof SINCE;
export const has = (version: Microversion, change: Change): boolean => version >= SINCE[change];
export const stillHas = (version: Microversion, what: keyof typeof UNTIL): boolean => version <= UNTIL[what];

export type Negotiated =
  | { readonly kind: 'agreed'; readonly version: Microversion }
  /** Not of the form X.Y. */
  | { readonly kind: 'malformed'; readonly asked: string }
  /** Well formed, but not between MIN and MAX. */
  | { readonly kind: 'unsupported'; readonly asked: string };

/**
 * The version that a request asks for: the last `compute` entry of OpenStack-API-Version that has a version, else
 * X-OpenStack-Nova-API-Version, else 2.1.
 */
export function negotiate(standardHeader: string | undefined, legacyHeader: string | undefined): Negotiated {
  const asked = computeEntry(standardHeader) ?? legacyHeader?.trim();
  if (asked === undefined || asked === '') return { kind: 'agreed', version: MIN_MICROVERSION };
  if (asked === 'latest') return { kind: 'agreed', version: MAX_MICROVERSION };
  const parts = /^([1-9]\d*)\.([1-9]\d*|0)$/.exec(asked);
  if (parts === null) return { kind: 'malformed', asked };
  const version = Number(parts[2]);
  return parts[1] === '2' && version >= MIN_MICROVERSION && version <= MAX_MICROVERSION
    ? { kind: 'agreed', version: minor(version) }
    : { kind: 'unsupported', asked };
}

function computeEntry(header: string | undefined): string | undefined {
  const entries = (header ?? '').split(',').map((entry) => entry.trim().split(/\s+/));
  return entries
    .filter(([service, version]) => service?.toLowerCase() === 'compute' && version !== undefined)
    .at(-1)?.[1];
}

/** class-validator's options for a rule that holds from one microversion to another, both included. */
export function within(from: Microversion, to: Microversion): { groups: string[] } {
  const groups: string[] = [];
  for (let version: number = from; version <= to; version += 1) groups.push(formatMicroversion(minor(version)));
  return { groups };
}
export const since = (change: Change): { groups: string[] } => within(SINCE[change], MAX_MICROVERSION);
export const until = (change: keyof typeof UNTIL): { groups: string[] } => within(MIN_MICROVERSION, UNTIL[change]);
export const before = (change: Change): { groups: string[] } => within(MIN_MICROVERSION, minor(SINCE[change] - 1));
