import { applyDecorators } from '@nestjs/common';
import { IsDefined, ValidateBy, ValidateIf, ValidateNested, type ValidationOptions } from 'class-validator';
import { isIPv4, isIPv6 } from 'node:net';
import { pythonRepr } from './python-repr.js';
import { parseTime } from './timestamps.js';

/**
 * Nova's field rules (nova:nova/api/validation/parameter_types.py) as decorators for request classes. A field is
 * optional unless it is `Required`; null is refused unless a rule allows it. The last argument says at which
 * microversions the rule holds (see microversion.ts); outside them an undeclared field is refused as unknown.
 */
type Versions = Pick<ValidationOptions, 'groups'>;

/** What a rule lets through, as the description of the API tells it: a JSON schema, or request classes inside. */
export type Shape =
  | Readonly<Record<string, unknown>>
  | { readonly objectOf: () => new () => object; readonly nullable?: true }
  | { readonly listOf: () => new () => object; readonly min: number };

/** null when the value is right, else the reason in json-schema's words. Without a shape it is described as anything. */
export interface Why {
  (value: unknown): string | null;
  readonly shape?: Shape;
}

export const shaped = (shape: Shape, why: (value: unknown) => string | null): Why =>
  Object.assign((value: unknown) => why(value), { shape });

export function Rule(name: string, why: Why, versions: Versions = {}): PropertyDecorator {
  const validator = {
    validate: (value: unknown) => why(value) === null,
    defaultMessage: (args?: { value: unknown }) => why(args?.value) ?? 'is not valid',
  };
  return ValidateBy({ name, constraints: [why.shape ?? {}], validator }, versions);
}

export const Required = (versions: Versions = {}): PropertyDecorator => IsDefined(versions);

/** It must be there, and may be null where another rule allows that. */
export const RequiredOrNull = (versions: Versions = {}): PropertyDecorator =>
  ValidateBy({ name: 'isDefined', validator: { validate: (value) => value !== undefined } }, versions);

export interface TextLimits {
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  readonly nullable?: true;
}
export const whyNotText = (limits: TextLimits): Why =>
  shaped(shapeOfText(limits), (value) => {
    if (value === null && limits.nullable === true) return null;
    if (typeof value !== 'string') return `${pythonRepr(value)} is not of type 'string'`;
    const length = value.match(/./gsu)?.length ?? 0;
    if (length < (limits.min ?? 0))
      return length === 0 ? `'' should be non-empty` : `${pythonRepr(value)} is too short`;
    if (length > (limits.max ?? Number.MAX_SAFE_INTEGER)) return `${pythonRepr(value)} is too long`;
    if (limits.pattern !== undefined && !limits.pattern.test(value)) {
      return `${pythonRepr(value)} does not match ${pythonRepr(limits.pattern.source)}`;
    }
    return null;
  });

const shapeOfText = ({ min, max, pattern, nullable }: TextLimits): Shape => ({
  type: nullable === true ? ['string', 'null'] : 'string',
  ...(min === undefined ? {} : { minLength: min }),
  ...(max === undefined ? {} : { maxLength: max }),
  ...(pattern === undefined ? {} : { pattern: pattern.source }),
});

/** Both must hold. */
export const whyNotBoth = (one: Why, other: Why): Why =>
  shaped({ allOf: [one.shape ?? {}, other.shape ?? {}] }, (value) => one(value) ?? other(value));

export const Text = (limits: TextLimits = {}, versions?: Versions): PropertyDecorator =>
  Rule('text', whyNotText(limits), versions);

/** Printable: no controls, surrogates or unassigned characters, and of separators only blanks. */
export const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;

/** Printable, no blanks at the ends. */
export const whyNotName: Why = whyNotText({
  min: 1,
  max: 255,
  pattern: /^(?!\p{Zs})[^\p{C}\p{Zl}\p{Zp}]*(?<!\p{Zs})$/u,
});

export const Name = (versions?: Versions): PropertyDecorator => Rule('name', whyNotName, versions);

/** nova:nova/api/validation/parameter_types.py hostname and fqdn. */
export const HOST_NAME = { min: 2, max: 63, pattern: /^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$/ };
export const FQDN = { min: 1, max: 255, pattern: /^[a-zA-Z0-9-._]*$/ };

const FAMILIES = { ipv4: isIPv4, ipv6: isIPv6 } as const;
export const IpAddress = (format: keyof typeof FAMILIES, versions?: Versions): PropertyDecorator =>
  Rule(
    'ip',
    shaped({ type: 'string', format }, (value) =>
      typeof value === 'string' && FAMILIES[format](value) ? null : `${pythonRepr(value)} is not an IP address`,
    ),
    versions,
  );

export const whyNotTag = whyNotText({ min: 1, max: 60, pattern: /^[^,/]*$/ });

export const whyNotOneOf = (words: readonly unknown[]): Why =>
  shaped({ enum: words }, (value) =>
    words.includes(value) ? null : `${pythonRepr(value)} is not one of ${pythonRepr(words)}`,
  );
export const OneOf = (words: readonly unknown[], versions?: Versions): PropertyDecorator =>
  Rule('oneOf', whyNotOneOf(words), versions);

const UUID_WITH_OR_WITHOUT_DASHES = /^(?:urn:)?(?:uuid:)?\{*[0-9a-f]{32}\}*$/i;
/** As oslo's check: upper case, braces and a form without dashes pass too. */
const isUuidLike = (value: unknown): boolean =>
  typeof value === 'string' && UUID_WITH_OR_WITHOUT_DASHES.test(value.replaceAll('-', ''));
const UUID = { type: 'string', format: 'uuid' };
export const whyNotUuid: Why = shaped(UUID, (value) => {
  if (typeof value !== 'string') return `${pythonRepr(value)} is not of type 'string'`;
  return isUuidLike(value) ? null : `${pythonRepr(value)} is not a 'uuid'`;
});
export const Uuid = (versions?: Versions): PropertyDecorator => Rule('uuid', whyNotUuid, versions);
export const UuidOrNull = (versions?: Versions): PropertyDecorator => Rule('uuid', orElse(null, whyNotUuid), versions);
export const UuidOrEmpty = (versions?: Versions): PropertyDecorator => Rule('uuid', orElse('', whyNotUuid), versions);

/** One value that is right too. */
export const orElse = (right: unknown, why: Why): Why =>
  shaped({ anyOf: [why.shape ?? {}, { enum: [right] }] }, (value) => (value === right ? null : why(value)));

export const orNumber = (why: Why): Why =>
  shaped({ anyOf: [why.shape ?? {}, { type: 'number' }] }, (value) => (Number.isFinite(value) ? null : why(value)));

/** ISO 8601; read it with `parseTime`. */
export const Time = (versions?: Versions): PropertyDecorator =>
  Rule(
    'time',
    shaped({ type: 'string', format: 'date-time' }, (value) =>
      typeof value === 'string' && parseTime(value) !== null ? null : `${pythonRepr(value)} is not a 'date-time'`,
    ),
    versions,
  );

const TRUE = [true, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes'];
const FALSE = [false, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no'];
/** A boolean or one of the words that Nova's schemas take for one; read it with `isTrue`. */
export const Boolish = (versions?: Versions): PropertyDecorator => OneOf([...TRUE, ...FALSE], versions);
export const isTrue = (value: unknown): boolean => TRUE.includes(value as boolean | string);

/** Words for booleans in queries, which are more (oslo's bool_from_string); null for others. */
export function readBoolean(text: string): boolean | null {
  const word = text.trim().toLowerCase();
  if (['1', 't', 'true', 'on', 'y', 'yes'].includes(word)) return true;
  return ['0', 'f', 'false', 'off', 'n', 'no'].includes(word) ? false : null;
}

interface WholeLimits {
  readonly min: number;
  readonly max?: number;
  readonly nullable?: true;
  readonly text?: true;
}
export const Whole = (limits: WholeLimits, versions?: Versions): PropertyDecorator =>
  Rule(
    'whole',
    shaped(shapeOfWhole(limits), (value) => {
      if (value === null && limits.nullable === true) return null;
      const fromText = typeof value === 'string' && limits.text === true && /^-?0*\d{1,15}$/.test(value);
      const number = fromText ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
        return `${pythonRepr(value)} is not of type 'integer'`;
      }
      if (number < limits.min) return `${pythonRepr(value)} is less than the minimum of ${limits.min}`;
      const { max = Number.MAX_SAFE_INTEGER } = limits;
      return number > max ? `${pythonRepr(value)} is greater than the maximum of ${max}` : null;
    }),
    versions,
  );

function shapeOfWhole({ min, max, nullable, text }: WholeLimits): Shape {
  const upTo = max === undefined ? '\\d{1,15}' : `(${patternUpTo(max)})`;
  const digits = min < 0 ? `^-?0*${upTo}$` : min === 0 ? `^(-?0+|0*${upTo})$` : `^(?!0+$)0*${upTo}$`;
  return {
    anyOf: [
      { type: 'integer', minimum: min, maximum: max ?? Number.MAX_SAFE_INTEGER },
      ...(text === true ? [{ type: 'string', pattern: digits }] : []),
      ...(nullable === true ? [{ type: 'null' }] : []),
    ],
  };
}

/** Of numbers in digits that are `max` at most. */
function patternUpTo(max: number): string {
  const digits = String(max);
  const smaller = Array.from(digits).map(
    (digit, at) => `${digits.slice(0, at)}[0-${Number(digit) - 1}]\\d{${digits.length - at - 1}}`,
  );
  return [...smaller.filter((_, at) => digits[at] !== '0'), digits, `\\d{1,${digits.length - 1}}`].join('|');
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const whyNotObject: Why = shaped({ type: 'object' }, (value) =>
  isObject(value) ? null : `${pythonRepr(value)} is not of type 'object'`,
);

const MAP_KEY = /^[a-zA-Z0-9-_:. ]{1,255}$/;
const whyNotMapOf = (item: Why): Why =>
  shaped(
    { type: 'object', propertyNames: { pattern: MAP_KEY.source }, additionalProperties: item.shape ?? {} },
    (value) => {
      if (!isObject(value)) return whyNotObject(value);
      for (const [key, inner] of Object.entries(value as object)) {
        if (!MAP_KEY.test(key)) return `${pythonRepr(key)} is not a valid key`;
        const why = item(inner);
        if (why !== null) return why;
      }
      return null;
    },
  );
/** Metadata: short keys, short texts. */
export const whyNotTextMap = whyNotMapOf(whyNotText({ max: 255 }));
export const TextMap = (versions?: Versions): PropertyDecorator => Rule('textMap', whyNotTextMap, versions);
/** As metadata, where a value may be a number too. */
export const whyNotExtraSpecs = whyNotMapOf(orNumber(whyNotText({ max: 255 })));

/** Of a map that has one key and no more. */
export const whyNotOneKey = (why: Why): Why =>
  shaped(
    { ...why.shape, minProperties: 1, maxProperties: 1 },
    (value) => why(value) ?? (Object.keys(value as object).length === 1 ? null : 'exactly one key is needed'),
  );

export const AnyObject = (versions?: Versions): PropertyDecorator => Rule('object', whyNotObject, versions);
export const Anything = (versions?: Versions): PropertyDecorator => Rule('anything', () => null, versions);

/** A nested request class. */
export const ObjectOf = (type: () => new () => object, versions: Versions = {}): PropertyDecorator =>
  applyDecorators(Rule('object', shaped({ objectOf: type }, whyNotObject), versions), ValidateNested(versions));

export const ObjectOrNull = (type: () => new () => object, versions: Versions = {}): PropertyDecorator =>
  applyDecorators(
    ValidateIf((_, value) => value !== null, versions),
    Rule('object', shaped({ objectOf: type, nullable: true }, whyNotObject), versions),
    ValidateNested(versions),
  );

export const whyNotListOf = (item: Why, limits: { min?: number; max?: number } = {}): Why =>
  shaped(
    {
      type: 'array',
      items: item.shape ?? {},
      ...(limits.min === undefined ? {} : { minItems: limits.min }),
      ...(limits.max === undefined ? {} : { maxItems: limits.max }),
    },
    (value) => {
      if (!Array.isArray(value)) return `${pythonRepr(value)} is not of type 'array'`;
      if (value.length < (limits.min ?? 0)) return `${pythonRepr(value)} should be non-empty`;
      if (value.length > (limits.max ?? Number.MAX_SAFE_INTEGER)) return `${pythonRepr(value)} is too long`;
      return value.map(item).find((why) => why !== null) ?? null;
    },
  );

/** A list of nested request classes. */
export const ListOf = (
  type: () => new () => object,
  limits: { min?: number } = {},
  versions: Versions = {},
): PropertyDecorator =>
  applyDecorators(
    Rule('list', shaped({ listOf: type, min: limits.min ?? 0 }, whyNotListOf(whyNotObject, limits)), versions),
    ValidateNested(versions),
  );
