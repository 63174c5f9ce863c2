import { before, since, SINCE, within } from '../http/microversion.js';
import { ListOf, OneOf, Required, Text, Uuid } from '../http/rules.js';

/** Body of POST /os-server-external-events (nova:nova/api/openstack/compute/schemas/server_external_events.py). */
const NETWORK_EVENTS = [
  'network-changed',
  'network-vif-plugged',
  'network-vif-unplugged',
  'network-vif-deleted',
] as const;
const UP_TO_VOLUME_EXTENDED = [...NETWORK_EVENTS, 'volume-extended'] as const;
const UP_TO_POWER_UPDATE = [...UP_TO_VOLUME_EXTENDED, 'power-update'] as const;
const UP_TO_ACCELERATOR = [...UP_TO_POWER_UPDATE, 'accelerator-request-bound'] as const;
const ALL_EVENTS = [...UP_TO_ACCELERATOR, 'volume-reimaged'] as const;

export type EventName = (typeof ALL_EVENTS)[number];
export type EventStatus = 'failed' | 'completed' | 'in-progress';

const between = (from: keyof typeof SINCE, upTo: keyof typeof SINCE) => ({
  groups: within(SINCE[from], SINCE[upTo]).groups.slice(0, -1),
});

export interface ExternalEvent {
  readonly name: EventName;
  readonly server_uuid: string;
  readonly status?: EventStatus;
  readonly tag?: string;
}

class ExternalEventDto implements ExternalEvent {
  @Required()
  @OneOf(NETWORK_EVENTS, before('events.volume-extended'))
  @OneOf(UP_TO_VOLUME_EXTENDED, between('events.volume-extended', 'events.power-update'))
  @OneOf(UP_TO_POWER_UPDATE, between('events.power-update', 'events.accelerator-request-bound'))
  @OneOf(UP_TO_ACCELERATOR, between('events.accelerator-request-bound', 'events.volume-reimaged'))
  @OneOf(ALL_EVENTS, since('events.volume-reimaged'))
  readonly name!: EventName;

  @Required()
  @Uuid()
  readonly server_uuid!: string;

  @OneOf(['failed', 'completed', 'in-progress'])
  readonly status?: EventStatus;

  /** Any text: the engine judges whether it names a volume. */
  @Text({ max: 255 })
  readonly tag?: string;
}

export class ExternalEventsDto {
  @Required()
  @ListOf(() => ExternalEventDto, { min: 1 })
  readonly events!: ExternalEventDto[];
}
