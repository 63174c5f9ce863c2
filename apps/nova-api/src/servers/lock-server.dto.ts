import { ObjectOrNull, RequiredOrNull, Text } from '../http/rules.js';

/** Body of the action lock from 2.73 (nova:nova/api/openstack/compute/schemas/lock_server.py); before, anything goes. */
class ReasonDto {
  @Text({ min: 1, max: 255 }) readonly locked_reason?: string;
}
export class LockBody {
  @RequiredOrNull() @ObjectOrNull(() => ReasonDto) readonly lock!: ReasonDto | null;
}
