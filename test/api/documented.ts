import type { Microversion } from '../../apps/nova-api/src/http/microversion.js';
import { type OpenApi, type OpenApiOperation, pathOf } from './describe.js';
import type { Operation } from './operations.js';
import type { JsonSchema } from './request-schema.js';

/** Reads the description as a client would: which schema is meant for an operation at a microversion. */
export function documented(document: OpenApi) {
  const operationOf = ({ route }: Operation): OpenApiOperation => {
    const described = document.paths[pathOf(route)]?.[route.method.toLowerCase()];
    if (described === undefined) throw new Error(`${route.method} ${route.url} is not described`);
    return described;
  };
  const bodies = (operation: Operation, version: Microversion): JsonSchema[] => {
    const { requestBody } = operationOf(operation) as { requestBody?: Body };
    const schema = requestBody?.content['application/json'].schema;
    const all = (schema?.['anyOf'] as JsonSchema[] | undefined) ?? (schema === undefined ? [] : [schema]);
    return all
      .map(({ $ref }) => document.components.schemas[String($ref).replace('#/components/schemas/', '')] ?? {})
      .filter((each) => covers(each, version) && (aboutOf(each)['action-name'] ?? null) === operation.action);
  };
  return {
    has: (operation: Operation, version: Microversion): boolean => bodies(operation, version).length > 0,
    body(operation: Operation, version: Microversion): JsonSchema {
      const [schema, ...more] = bodies(operation, version);
      if (schema === undefined || more.length > 0) {
        throw new Error(`${operation.route.url} at 2.${version} has ${more.length} schemas too many, or none`);
      }
      return schema;
    },
    query(operation: Operation, version: Microversion): Map<string, JsonSchema> {
      const { parameters = [] } = operationOf(operation) as { parameters?: readonly Parameter[] };
      const meant = parameters.filter((each) => each.in === 'query' && covers(each, version));
      return new Map(meant.map(({ name, schema }) => [name, schema]));
    },
  };
}

interface Body {
  readonly content: { readonly 'application/json': { readonly schema: JsonSchema } };
}
interface Parameter extends JsonSchema {
  readonly name: string;
  readonly in: string;
  readonly schema: JsonSchema;
}

const aboutOf = (described: JsonSchema): Readonly<Record<string, string>> =>
  (described['x-openstack'] ?? {}) as Record<string, string>;

function covers(described: JsonSchema, version: Microversion): boolean {
  const about = aboutOf(described);
  const minor = (text: string | undefined, otherwise: number): number =>
    text === undefined ? otherwise : Number(text.replace('2.', ''));
  return version >= minor(about['min-ver'], 1) && version <= minor(about['max-ver'], Infinity);
}
