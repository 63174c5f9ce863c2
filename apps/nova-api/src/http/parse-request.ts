import { type ValidationError, validateSync } from 'class-validator';
import { channel } from 'node:diagnostics_channel';
import { ApiFault } from './fault.js';
import { formatMicroversion } from './microversion.js';
import { pythonRepr, pythonStr } from './python-repr.js';
import type { ApiCall } from './request-context.js';
import { instanceOf } from './request-instance.js';
import type { Why } from './rules.js';

/**
 * Bodies and queries become typed objects here, or a 400 in Nova's words (nova:nova/api/validation/validators.py).
 */
type At = Pick<ApiCall, 'microversion' | 'legacy'>;
type RequestClass<T extends object> = new () => T;

/** Tells who listens (tests, the maker of the API's description) which class, or rule, a request is read with. */
export const PARSED = 'novella.nova-api.parsed';
export interface Parsed {
  readonly what: 'body' | 'query';
  readonly type: RequestClass<object> | Why;
}
const parsedChannel = channel(PARSED);

/** Under `/v2` unknown keys are dropped; else refused. */
export function parseBody<T extends object>(type: RequestClass<T>, body: unknown, at: At): T {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiFault(400, `${pythonRepr(body)} is not of type 'object'`);
  }
  parsedChannel.publish({ what: 'body', type } satisfies Parsed);
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

/** A body whose keys are the caller's own: as it was sent, when it is as `why` wants it. */
export function parseFreeBody(why: Why, body: unknown): unknown {
  parsedChannel.publish({ what: 'body', type: why } satisfies Parsed);
  const mistake = why(body);
  if (mistake !== null) throw new ApiFault(400, mistake);
  return body;
}

/** A key that is given several times counts with its last value, unless it is one of `lists`; or `once` refuses that. */
export function parseQuery<T extends object>(
  type: RequestClass<T>,
  query: unknown,
  at: At,
  options: { unknownKeys: 'drop' | 'refuse'; lists?: readonly string[]; once?: true },
): T {
  const given = Object.fromEntries(
    Object.entries((query ?? {}) as Record<string, string | string[]>).map(([key, value]) => {
      const all = Array.isArray(value) ? value : [value];
      if (options.once === true && all.length > 1) {
        throw new ApiFault(
          400,
          `Invalid input for query parameters ${key}. Value: ${pythonStr(all)}. ${pythonRepr(all)} is too long`,
        );
      }
      return [key, options.lists?.includes(key) === true ? all : all.at(-1)];
    }),
  );
  parsedChannel.publish({ what: 'query', type } satisfies Parsed);
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
  const group = formatMicroversion(at.microversion);
  const { instance, unknown } = instanceOf(type, given, group);
  if (unknown !== null && options.unknownKeys === 'refuse') {
    const reason = `Additional properties are not allowed (${pythonRepr(unknown.at(-1))} was unexpected)`;
    return { parsed: instance, mistake: { path: unknown.slice(0, -1), reason } };
  }
  const errors = validateSync(instance, {
    // A class may have no rule at all at an early microversion.
    forbidUnknownValues: false,
    skipUndefinedProperties: true,
    always: true,
    groups: [group],
    validationError: { target: false },
  });
  return { parsed: instance, mistake: firstMistake(errors, []) };
}

function firstMistake(errors: readonly ValidationError[], path: readonly string[]): Mistake | null {
  for (const error of errors) {
    const at = [...path, error.property];
    const own = Object.entries(error.constraints ?? {});
    const [first] = own.filter(([name]) => name !== 'nestedValidation').concat(own);
    if (first !== undefined) {
      const [, message] = first;
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
