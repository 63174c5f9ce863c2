import { SINCE, since, UNTIL, within } from '../http/microversion.js';
import { FQDN, HOST_NAME, IpAddress, Name, ObjectOf, OneOf, PRINTABLE, Required, Text } from '../http/rules.js';

/** Body of PUT /servers/{id} (nova:nova/api/openstack/compute/schemas/servers.py update). */
class ServerChangeDto {
  @Name() readonly name?: string;
  @OneOf(['AUTO', 'MANUAL']) readonly 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL';
  @IpAddress('ipv4') readonly accessIPv4?: string;
  @IpAddress('ipv6') readonly accessIPv6?: string;
  @Text({ max: 255, nullable: true, pattern: PRINTABLE }, since('servers.description'))
  readonly description?: string | null;
  @Text(HOST_NAME, within(SINCE['servers.hostname'], UNTIL['servers.hostname-short']))
  @Text(FQDN, since('servers.hostname-fqdn'))
  readonly hostname?: string;
}

export class UpdateServerBody {
  @Required() @ObjectOf(() => ServerChangeDto) readonly server!: ServerChangeDto;
}
