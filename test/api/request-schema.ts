import { getMetadataStorage } from 'class-validator';
import { formatMicroversion, type Microversion } from '../../apps/nova-api/src/http/microversion.js';
import type { Shape, Why } from '../../apps/nova-api/src/http/rules.js';

/**
 * The JSON schema of what a request class lets through at a microversion, from the rules that class-validator holds of it
 * (the same that the API itself asks). Unknown keys are refused, as under `/v2.1`.
 */
export type JsonSchema = Readonly<Record<string, unknown>>;
/** A class, or the rule of a body whose keys are the caller's own. */
export type RequestClass = (new () => object) | Why;

const made = new Map<RequestClass, Map<Microversion, JsonSchema>>();

export const isRule = (type: RequestClass): type is Why => 'shape' in type;

export function requestSchema(type: RequestClass, microversion: Microversion): JsonSchema {
  if (isRule(type)) return type.shape as JsonSchema;
  const known = made.get(type) ?? new Map<Microversion, JsonSchema>();
  made.set(type, known);
  const schema = known.get(microversion) ?? schemaFromRules(type, microversion);
  known.set(microversion, schema);
  return schema;
}

function schemaFromRules(type: Exclude<RequestClass, Why>, microversion: Microversion): JsonSchema {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false, [
    formatMicroversion(microversion),
  ]);
  const properties: Record<string, JsonSchema[]> = {};
  const required = new Set<string>();
  for (const { propertyName, name, constraints } of rules) {
    const shapes = (properties[propertyName] ??= []);
    if (name === 'isDefined') required.add(propertyName);
    const [shape] = (constraints as unknown[] | undefined) ?? [];
    // Rules of class-validator's own have other things there: they are described as letting everything through.
    if (typeof shape === 'object' && shape !== null) shapes.push(schemaOf(shape as Shape, microversion));
  }
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(properties).map(([name, shapes]) => [name, allOf(shapes)])),
    ...(required.size === 0 ? {} : { required: [...required] }),
    additionalProperties: false,
  };
}

function schemaOf(shape: Shape, microversion: Microversion): JsonSchema {
  const { objectOf, nullable, listOf, min } = shape as Inside;
  if (objectOf !== undefined) {
    const object = requestSchema(objectOf(), microversion);
    return nullable === true ? { anyOf: [object, { type: 'null' }] } : object;
  }
  if (listOf !== undefined) return { type: 'array', items: requestSchema(listOf(), microversion), minItems: min };
  return shape;
}

interface Inside {
  readonly objectOf?: () => RequestClass;
  readonly nullable?: true;
  readonly listOf?: () => RequestClass;
  readonly min?: number;
}

function allOf(shapes: readonly JsonSchema[]): JsonSchema {
  const [one = {}, ...more] = shapes;
  return more.length === 0 ? one : { allOf: shapes };
}

/** Microversions after which something differs somewhere: the first of each stretch in which nothing does. */
export function turningPoints(changes: Iterable<number>, ends: Iterable<number>): Microversion[] {
  const points = new Set([1, ...changes, ...[...ends].map((last) => last + 1)]);
  return [...points].toSorted((a, b) => a - b) as Microversion[];
}
