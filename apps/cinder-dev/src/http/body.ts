import 'reflect-metadata';
import { type PipeTransform } from '@nestjs/common';
import { plainToInstance, Type } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsNotEmptyObject,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  MaxLength,
  ValidateBy,
  ValidateNested,
  type ValidationError,
  validateSync,
} from 'class-validator';
import { badRequest } from '../faults.js';

/** Request bodies. Mirrors cinder:api/schemas. */
const LARGEST_SIZE = 2 ** 31 - 1;

/** An integer or a string of digits, 1 to 2147483647. */
const isSize = (value: unknown): boolean => {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^\d{1,10}$/.test(text)) return false;
  return Number(text) >= 1 && Number(text) <= LARGEST_SIZE;
};
const IsSize = () =>
  ValidateBy({
    name: 'isSize',
    validator: {
      validate: isSize,
      defaultMessage: () => '$property must be a whole number of GiB from 1 to 2147483647',
    },
  });

const isMetadata = (value: unknown): boolean =>
  isJsonObject(value) &&
  Object.entries(value).every(([key, text]) => isKey(key) && typeof text === 'string' && text.length <= 255);
const isKey = (key: string) => /^[\w.:\- ]{1,255}$/.test(key);
const IsMetadata = () =>
  ValidateBy({
    name: 'isMetadata',
    validator: {
      validate: isMetadata,
      defaultMessage: () => '$property must be texts of at most 255 characters by key',
    },
  });

export class VolumeToCreate {
  @IsSize() size!: number | string;
  @IsOptional() @IsString() @MaxLength(255) name?: string | null;
  @IsOptional() @IsString() @MaxLength(255) description?: string | null;
  @IsOptional() @IsString() @MaxLength(255) volume_type?: string | null;
  @IsOptional() @IsString() @MaxLength(255) availability_zone?: string | null;
  @IsOptional() @IsMetadata() metadata?: Record<string, string> | null;
  @IsOptional() @IsIn([false]) multiattach?: false;
  @IsOptional() @IsUUID() imageRef?: string | null;
  @IsOptional() @IsUUID() image_id?: string | null;
  // What cinder-dev cannot make a volume from.
  @IsOptional() @IsIn([null]) snapshot_id?: null;
  @IsOptional() @IsIn([null]) source_volid?: null;
  @IsOptional() @IsIn([null]) backup_id?: null;
}
export class CreateVolumeBody {
  @IsObject() volume!: object;
  @IsOptional() @IsObject() 'OS-SCH-HNT:scheduler_hints'?: object | null;
}

class Extend {
  @IsSize() new_size!: number | string;
}
export class ExtendBody {
  @IsObject() @ValidateNested() @Type(() => Extend) 'os-extend'!: Extend;
}

class ExtendCompletion {
  @IsOptional() @IsBoolean() error?: boolean | null;
}
export class ExtendCompletionBody {
  @IsObject()
  @ValidateNested()
  @Type(() => ExtendCompletion)
  'os-extend_volume_completion'!: ExtendCompletion;
}

class SetBootable {
  @IsBoolean() bootable!: boolean;
}
export class SetBootableBody {
  @IsObject() @ValidateNested() @Type(() => SetBootable) 'os-set_bootable'!: SetBootable;
}

class AttachmentToCreate {
  @IsUUID() volume_uuid!: string;
  @IsOptional() @IsUUID() instance_uuid?: string | null;
  @IsOptional() @IsObject() connector?: Record<string, unknown> | null;
  @IsOptional() @IsIn(['rw', 'ro']) mode?: 'rw' | 'ro';
}
export class CreateAttachmentBody {
  @IsObject() @ValidateNested() @Type(() => AttachmentToCreate) attachment!: AttachmentToCreate;
}

class AttachmentToUpdate {
  @IsNotEmptyObject({ nullable: true }) connector!: Record<string, unknown>;
}
export class UpdateAttachmentBody {
  @IsObject() @ValidateNested() @Type(() => AttachmentToUpdate) attachment!: AttachmentToUpdate;
}

const isJsonObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses a body into its class. Unknown keys are refused, or `ignored` where Cinder ignores them. Error: 400. */
export function parseBody<T extends object>(shape: new () => T, body: unknown, unknownKeys?: 'ignored'): T {
  if (!isJsonObject(body)) throw badRequest('Malformed request body');
  const parsed = plainToInstance(shape, body);
  const faults = validateSync(parsed, { whitelist: true, forbidNonWhitelisted: unknownKeys !== 'ignored' });
  if (faults.length > 0) throw badRequest(`Invalid input: ${faults.flatMap(textsOf).join('; ')}`);
  return parsed;
}

function textsOf({ constraints, children }: ValidationError): string[] {
  return [...Object.values(constraints ?? {}), ...(children ?? []).flatMap(textsOf)];
}

export class BodyOf<T extends object> implements PipeTransform<unknown, T> {
  constructor(private readonly shape: new () => T) {}

  transform(body: unknown): T {
    return parseBody(this.shape, body);
  }
}

/** The one key of an action's body. Error: 400. */
export function actionOf(body: unknown): string {
  const [name, ...others] = isJsonObject(body) ? Object.keys(body) : [];
  if (name === undefined || others.length > 0) throw badRequest('Malformed request body');
  return name;
}

export const noSuchAction = (name: string) => badRequest(`There is no such action: ${name.slice(0, 255)}.`);
