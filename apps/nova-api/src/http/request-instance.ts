import { getMetadataStorage } from 'class-validator';
import type { Shape } from './rules.js';

/**
 * What was sent, as instances of the request classes that class-validator wants. Only keys that the class knows at the
 * microversion are taken over; keys that every object inherits (`toString`, `constructor`) are keys like others.
 */
export interface Instance<T extends object> {
  readonly instance: T;
  /** The first key that is not known, by its path. */
  readonly unknown: readonly string[] | null;
}
type RequestClass<T extends object = object> = new () => T;

export function instanceOf<T extends object>(type: RequestClass<T>, given: object, group: string): Instance<T> {
  const fields = fieldsOf(type, group);
  const instance = new type();
  let unknown: readonly string[] | null = null;
  for (const [key, value] of Object.entries(given)) {
    const field = fields.get(key);
    if (field === undefined) {
      unknown ??= [key];
      continue;
    }
    const made: Made = field.inside === null ? { value, unknown: null } : inside(field.inside, value, group);
    (instance as Record<string, unknown>)[key] = made.value;
    unknown ??= made.unknown === null ? null : [key, ...made.unknown];
  }
  return { instance, unknown };
}

interface Made {
  readonly value: unknown;
  readonly unknown: readonly string[] | null;
}

/** Of the class, where there is an object or a list of some; what is neither is left for the rules to refuse. */
function inside(type: RequestClass, value: unknown, group: string): Made {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => inside(type, item, group));
    const at = items.findIndex((item) => item.unknown !== null);
    return { value: items.map((item) => item.value), unknown: items[at]?.unknown?.toSpliced(0, 0, String(at)) ?? null };
  }
  if (typeof value !== 'object' || value === null) return { value, unknown: null };
  const { instance, unknown } = instanceOf(type, value, group);
  return { value: instance, unknown };
}

interface Field {
  /** The class of what stands there. */
  readonly inside: RequestClass | null;
}
const known = new WeakMap<RequestClass, Map<string, ReadonlyMap<string, Field>>>();

function fieldsOf(type: RequestClass, group: string): ReadonlyMap<string, Field> {
  const groups = known.get(type) ?? new Map<string, ReadonlyMap<string, Field>>();
  known.set(type, groups);
  const fields = groups.get(group) ?? readFields(type, group);
  groups.set(group, fields);
  return fields;
}

function readFields(type: RequestClass, group: string): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const { propertyName, constraints } of getMetadataStorage().getTargetValidationMetadatas(type, '', true, false, [
    group,
  ])) {
    const [shape] = (constraints as Shape[] | undefined) ?? [];
    const { objectOf, listOf } = (shape ?? {}) as { objectOf?: () => RequestClass; listOf?: () => RequestClass };
    const inside = objectOf?.() ?? listOf?.() ?? fields.get(propertyName)?.inside ?? null;
    fields.set(propertyName, { inside });
  }
  return fields;
}
