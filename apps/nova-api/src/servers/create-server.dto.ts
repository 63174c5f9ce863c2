import { before, SINCE, since, UNTIL, until, within } from '../http/microversion.js';
import { pythonRepr } from '../http/python-repr.js';
import {
  AnyObject,
  Anything,
  Boolish,
  FQDN,
  HOST_NAME,
  IpAddress,
  ListOf,
  Name,
  ObjectOf,
  OneOf,
  orElse,
  PRINTABLE,
  Required,
  Rule,
  shaped,
  Text,
  TextMap,
  Uuid,
  UuidOrEmpty,
  Whole,
  type Why,
  whyNotListOf,
  whyNotTag,
  whyNotText,
} from '../http/rules.js';
import { MOST_TAGS } from './settled.js';

/**
 * Body of POST /servers (nova:nova/api/openstack/compute/schemas/servers.py). What Nova's schema allows is allowed here;
 * server-request.ts then says which of it is served.
 */
const DEVICE_NAME = { min: 1, max: 255, pattern: /^[a-zA-Z0-9._/-]*$/ };
/** Device tags came in 2.32, were lost by accident, and came back in 2.42. */
const deviceTags = {
  groups: [
    ...within(SINCE['servers.create.first-device-tags'], SINCE['servers.create.first-device-tags']).groups,
    ...since('servers.create.device-tags').groups,
  ],
};

/** As Python's decoder: what is no letter of base64 does not count, and what does must be whole. */
const whyNotLongText = whyNotText({ max: 65_535 });
export const whyNotBase64: Why = shaped({ ...whyNotLongText.shape, format: 'base64' }, (value) => {
  const mistake = whyNotLongText(value);
  if (mistake !== null || typeof value !== 'string') return mistake;
  const [data = '', ...padding] = value.replaceAll(/[^A-Za-z0-9+/=]/g, '').split('=');
  const isWhole = data.length % 4 === 0 || (data.length % 4 > 1 && padding.length >= 4 - (data.length % 4));
  return isWhole ? null : `${pythonRepr(value)} is not a 'base64'`;
});
/** The id of a flavor may look like a number. */
const whyNotFlavorRef = whyNotText({ min: 1, max: 255 });
const INTEGER = { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };

class LegacyBlockDeviceDto {
  @Text({ max: 255 }) readonly virtual_name?: string;
  @Uuid() readonly volume_id?: string;
  @Uuid() readonly snapshot_id?: string;
  @Whole({ min: 1, text: true }) readonly volume_size?: number | string;
  @Text(DEVICE_NAME) readonly device_name?: string;
  @Boolish() readonly delete_on_termination?: boolean | string;
  @Anything() readonly no_device?: unknown;
  /** Let through by Nova's schema; never read here. */
  @Text({ max: 16_777_215 }) readonly connection_info?: string;
}

export class BlockDeviceDto extends LegacyBlockDeviceDto {
  @OneOf(['volume', 'image', 'snapshot', 'blank']) readonly source_type?: 'volume' | 'image' | 'snapshot' | 'blank';
  @OneOf(['local', 'volume']) readonly destination_type?: 'local' | 'volume';
  @Text({ min: 1, max: 255, pattern: /^[a-zA-Z0-9._-]*$/ }) readonly uuid?: string;
  @Uuid() readonly image_id?: string;
  @Text({ max: 255 }) readonly guest_format?: string;
  @Text({ max: 255 }) readonly device_type?: string;
  @Text({ max: 255 }) readonly disk_bus?: string;
  @Whole({ min: Number.MIN_SAFE_INTEGER, nullable: true, text: true }) readonly boot_index?: number | string | null;
  @Rule('tag', whyNotTag, deviceTags) readonly tag?: string;
  @Text({ max: 255, nullable: true }, since('servers.create.volume-type')) readonly volume_type?: string | null;
}

class SecurityGroupDto {
  @Name() readonly name?: string;
}

/** For lists that are refused unless they are empty, whatever is in them. */
const anyItem = () => null;
const MANY_CERTIFICATES = { min: 1, max: 50 };

export class ServerDto {
  @Required() @Name() readonly name!: string;
  @Required()
  @Rule(
    'flavorRef',
    shaped({ anyOf: [whyNotFlavorRef.shape, INTEGER] }, (value) =>
      Number.isSafeInteger(value) ? null : whyNotFlavorRef(value),
    ),
  )
  readonly flavorRef!: string | number;
  @UuidOrEmpty() readonly imageRef?: string;
  @Text() readonly adminPass?: string;
  @TextMap() readonly metadata?: Record<string, string>;
  @Required(since('servers.create.networks-required'))
  @Rule('networks', whyNotListOf(anyItem), before('servers.create.networks-required'))
  @Rule('networks', orElse('none', orElse('auto', whyNotListOf(anyItem))), since('servers.create.networks-required'))
  readonly networks?: 'none' | 'auto' | unknown[];
  @OneOf(['AUTO', 'MANUAL']) readonly 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL';
  @IpAddress('ipv4') readonly accessIPv4?: string;
  @IpAddress('ipv6') readonly accessIPv6?: string;
  @Name() readonly availability_zone?: string;
  @ListOf(() => LegacyBlockDeviceDto) readonly block_device_mapping?: LegacyBlockDeviceDto[];
  @ListOf(() => BlockDeviceDto) readonly block_device_mapping_v2?: BlockDeviceDto[];
  @Boolish() readonly config_drive?: boolean | string;
  @Name() readonly key_name?: string;
  @Whole({ min: 1, text: true }) readonly min_count?: number | string;
  @Whole({ min: 1, text: true }) readonly max_count?: number | string;
  @Boolish() readonly return_reservation_id?: boolean | string;
  @ListOf(() => SecurityGroupDto) readonly security_groups?: SecurityGroupDto[];
  @Rule('base64', whyNotBase64) readonly user_data?: string;
  @Rule('personality', whyNotListOf(anyItem), until('servers.create.personality')) readonly personality?: unknown[];
  @Text({ max: 255, nullable: true, pattern: PRINTABLE }, since('servers.description'))
  readonly description?: string | null;
  @Rule('tags', whyNotListOf(whyNotTag, { max: MOST_TAGS }), since('servers.create.tags')) readonly tags?: string[];
  @Rule(
    'certificates',
    orElse(null, whyNotListOf(whyNotText({ min: 1 }), MANY_CERTIFICATES)),
    since('servers.trusted-certificates'),
  )
  readonly trusted_image_certificates?: string[] | null;
  @Text(FQDN, since('servers.create.requested-host'))
  readonly host?: string;
  @Text(FQDN, since('servers.create.requested-host'))
  readonly hypervisor_hostname?: string;
  @Text(HOST_NAME, within(SINCE['servers.hostname'], UNTIL['servers.hostname-short']))
  @Text(FQDN, since('servers.hostname-fqdn'))
  readonly hostname?: string;
}

export class CreateServerDto {
  @Required() @ObjectOf(() => ServerDto) readonly server!: ServerDto;
  @AnyObject() readonly 'os:scheduler_hints'?: object;
  @AnyObject() readonly 'OS-SCH-HNT:scheduler_hints'?: object;
}
