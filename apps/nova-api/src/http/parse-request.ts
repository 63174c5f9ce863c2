import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { ApiFault } from './fault.js';
import { formatMicroversion } from './microversion.js';
import { pythonRepr, pythonStr } from './python-repr.js';
import type { ApiCall } from './request-context.js';

/**
 * Bodies and queries become typed objects here, or a 400 in Nova's words (nova:nova/api/validation/validators.py).
 */
type At = Pick<ApiCall, 'microversion' | 'legacy'>;
type RequestClass<T extends object> = new () => T;

/** Under `/v2` unknown keys are dropped; else refused. */
export function parseBody<T extends object>(type: RequestClass<T>, body: unknown, at: At): T {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiFault(400, `${pythonRepr(body)} is not of type 'object'`);
  }
  const { parsed, mistake } = check(type, body, at, { unknownKeys: at.legacy ? 'drop' : 'refuse' });
  if (mistake === null) return parsed;
  const where = mistake.path.at(-1);
  throw new ApiFault(
    400,
    where === undefined
      ? mistake.reason
      : `Invalid input for field/attribute ${where}. Value: ${pythonStr(valueAt(body, mistake.path))}. ${mistake.reason}`,
  );
}

/** A key that is given several times counts with its last value, unless it is one of `lists`; or `once` refuses that. */
export function parseQuery<T extends object>(
  type: RequestClass<T>,
  query: unknown,
  at: At,
  options: { unknownKeys: 'drop' | 'refuse'; lists?: readonly string[]; once?: true },
): T {
  const given: Record<string, string | string[] | undefined> = {};
  for (const [key, value] of Object.entries((query ?? {}) as Record<string, string | string[]>)) {
    const all = Array.isArray(value) ? value : [value];
    if (options.once === true && all.length > 1) {
      throw new ApiFault(
        400,
        `Invalid input for query parameters ${key}. Value: ${pythonStr(all)}. ${pythonRepr(all)} is too long`,
      );
    }
    given[key] = options.lists?.includes(key) === true ? all : all.at(-1);
  }
  const { parsed, mistake } = check(type, given, at, options);
  if (mistake === null) return parsed;
  const where = mistake.path.at(0);
  throw new ApiFault(
    400,
    where === undefined
      ? mistake.reason
      : `Invalid input for query parameters ${where}. Value: ${pythonStr(valueAt(given, mistake.path))}. ${mistake.reason}`,
  );
}

interface Mistake {
  /** To the value that is wrong; empty for the whole. */
  readonly path: readonly string[];
  readonly reason: string;
}

function check<T extends object>(
  type: RequestClass<T>,
  given: object,
  at: At,
  options: { unknownKeys: 'drop' | 'refuse' },
): { parsed: T; mistake: Mistake | null } {
  const parsed = plainToInstance(type, given);
  const errors = validateSync(parsed, {
    whitelist: true,
    forbidNonWhitelisted: options.unknownKeys === 'refuse',
    // A class may have no rule at all at an early microversion.
    forbidUnknownValues: false,
    skipUndefinedProperties: true,
    always: true,
    groups: [formatMicroversion(at.microversion)],
    validationError: { target: false },
  });
  return { parsed, mistake: firstMistake(errors, []) };
}

function firstMistake(errors: readonly ValidationError[], path: readonly string[]): Mistake | null {
  for (const error of errors) {
    const at = [...path, error.property];
    const own = Object.entries(error.constraints ?? {});
    const [first] = own.filter(([name]) => name !== 'nestedValidation').concat(own);
    if (first !== undefined) {
      const [name, message] = first;
      if (name === 'whitelistValidation') {
        // A declared field that nobody sent is there too, as undefined.
        if (error.value === undefined) continue;
        return { path, reason: `Additional properties are not allowed (${pythonRepr(error.property)} was unexpected)` };
      }
      if ('isDefined' in (error.constraints ?? {})) {
        return { path, reason: `${pythonRepr(error.property)} is a required property` };
      }
      return { path: at, reason: message };
    }
    const inside = firstMistake(error.children ?? [], at);
    if (inside !== null) return inside;
  }
  return null;
}

function valueAt(given: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined),
    given,
  );
}
