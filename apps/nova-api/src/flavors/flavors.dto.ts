import { since } from '../http/microversion.js';
import { pythonRepr } from '../http/python-repr.js';
import {
  Boolish,
  Name,
  ObjectOf,
  OneOf,
  orElse,
  orNumber,
  PRINTABLE,
  Required,
  RequiredOrNull,
  Rule,
  shaped,
  Text,
  Whole,
  whyNotExtraSpecs,
  whyNotText,
} from '../http/rules.js';

/** Bodies and queries of flavors (nova:nova/api/openstack/compute/schemas/flavors.py, flavor_access.py). */
const MAX_INT = 0x7fffffff;
const AtLeast = (min: number): PropertyDecorator => Whole({ min, max: MAX_INT, text: true });
const DESCRIPTION = { max: 65_535, nullable: true, pattern: PRINTABLE } as const;

const whyNotFlavorId = orElse(
  null,
  orNumber(whyNotText({ min: 1, max: 255, pattern: /^(?! )[a-zA-Z0-9. _-]+(?<! )$/ })),
);

const LARGEST_FLOAT = 3.40282e38;
/** In digits, more than nothing, and a float still. */
const FACTOR = /^(?=.*[1-9])0*[0-9]{1,38}(\.[0-9]{1,37})?$/;
const whyNotFactor = shaped(
  {
    anyOf: [
      { type: 'number', exclusiveMinimum: 0, maximum: LARGEST_FLOAT },
      { type: 'string', pattern: FACTOR.source },
    ],
  },
  (value) => {
    const isText = typeof value === 'string' && FACTOR.test(value);
    if (!isText && typeof value !== 'number') return `${pythonRepr(value)} is not of type 'number', 'string'`;
    const factor = Number(value);
    return factor > 0 && factor <= LARGEST_FLOAT ? null : `${pythonRepr(value)} is not between 0 and ${LARGEST_FLOAT}`;
  },
);

class NewFlavorDto {
  @Required() @Name() readonly name!: string;
  @Rule('id', whyNotFlavorId) readonly id?: string | number | null;
  @Required() @AtLeast(1) readonly ram!: number | string;
  @Required() @AtLeast(1) readonly vcpus!: number | string;
  @Required() @AtLeast(0) readonly disk!: number | string;
  @AtLeast(0) readonly 'OS-FLV-EXT-DATA:ephemeral'?: number | string;
  @AtLeast(0) readonly swap?: number | string;
  @Rule('factor', whyNotFactor) readonly rxtx_factor?: number | string;
  @Boolish() readonly 'os-flavor-access:is_public'?: boolean | string;
  @Text(DESCRIPTION, since('flavors.description')) readonly description?: string | null;
}
export class CreateFlavorBody {
  @Required() @ObjectOf(() => NewFlavorDto) readonly flavor!: NewFlavorDto;
}

class FlavorChangeDto {
  @RequiredOrNull() @Text(DESCRIPTION) readonly description!: string | null;
}
export class UpdateFlavorBody {
  @Required() @ObjectOf(() => FlavorChangeDto) readonly flavor!: FlavorChangeDto;
}

class TenantDto {
  @Required() @Text({ min: 1, max: 255 }) readonly tenant!: string;
}
export class AddTenantAccessBody {
  @Required() @ObjectOf(() => TenantDto) readonly addTenantAccess!: TenantDto;
}
export class RemoveTenantAccessBody {
  @Required() @ObjectOf(() => TenantDto) readonly removeTenantAccess!: TenantDto;
}

export class CreateExtraSpecsBody {
  @Required()
  @Rule('extraSpecs', whyNotExtraSpecs)
  readonly extra_specs!: Record<string, string | number>;
}

export const FLAVOR_SORT_KEYS = [
  'created_at',
  'description',
  'disabled',
  'ephemeral_gb',
  'flavorid',
  'id',
  'is_public',
  'memory_mb',
  'name',
  'root_gb',
  'rxtx_factor',
  'swap',
  'updated_at',
  'vcpu_weight',
  'vcpus',
] as const;
export type FlavorSortKey = (typeof FLAVOR_SORT_KEYS)[number];

export class ListFlavorsQuery {
  @Text({ pattern: /^\d+$/ }) readonly limit?: string;
  @Text() readonly marker?: string;
  @Text() readonly is_public?: string;
  @Text() readonly minRam?: string;
  @Text() readonly minDisk?: string;
  @OneOf(FLAVOR_SORT_KEYS) readonly sort_key?: FlavorSortKey;
  @OneOf(['asc', 'desc']) readonly sort_dir?: 'asc' | 'desc';
}
