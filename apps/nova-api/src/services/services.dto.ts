import { since } from '../http/microversion.js';
import { Boolish, OneOf, Required, Text } from '../http/rules.js';

/** Queries and bodies of os-services (nova:nova/api/openstack/compute/schemas/services.py). */
export class ListServicesQuery {
  @Text() readonly host?: string;
  @Text() readonly binary?: string;
}

const Reason = (): PropertyDecorator => Text({ min: 1, max: 255 });

/** Before 2.53: the path names what to do, the body with which service. */
export class UpdateNamedServiceBody {
  @Required() @Text({ min: 1, max: 255, pattern: /^[a-zA-Z0-9-._]*$/ }) readonly host!: string;
  @Required() @Text({ min: 1, max: 255 }) readonly binary!: string;
  @Reason() readonly disabled_reason?: string;
  @Boolish(since('services.forced-down')) readonly forced_down?: boolean | string;
}

/** From 2.53: the path names the service. */
export class UpdateServiceBody {
  @OneOf(['enabled', 'disabled']) readonly status?: 'enabled' | 'disabled';
  @Reason() readonly disabled_reason?: string;
  @Boolish() readonly forced_down?: boolean | string;
}
