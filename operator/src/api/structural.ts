// zod gives JSON Schema; a CRD wants Kubernetes' structural subset of OpenAPI v3.
import * as z from 'zod';
import type { CelRule } from './schema/kubernetes.ts';

/** A node of a structural schema. Loose on purpose: it is written out, never interpreted field by field. */
export interface StructuralSchema {
  description?: string;
  type?: string;
  format?: string;
  default?: unknown;
  enum?: readonly unknown[];
  required?: readonly string[];
  properties?: Record<string, StructuralSchema>;
  additionalProperties?: StructuralSchema;
  items?: StructuralSchema;
  'x-kubernetes-validations'?: readonly CelRule[];
  [keyword: string]: unknown;
}

/** Keywords that a structural schema may carry, in the order in which they are written. */
const KEYWORDS = [
  'description',
  'type',
  'format',
  'default',
  'enum',
  'minLength',
  'maxLength',
  'pattern',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
  'anyOf',
  'x-kubernetes-int-or-string',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
  'required',
  'properties',
  'additionalProperties',
  'items',
] as const;

/** What people may write, defaults included. Throws when the schema has something that Kubernetes cannot express. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return toStructural(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0', override: refuseForeign }) as never);
}

function refuseForeign({ jsonSchema, path }: { jsonSchema: object; path: (string | number)[] }): void {
  for (const keyword of ['oneOf', 'allOf', 'not', '$ref']) {
    if (keyword in jsonSchema) throw new Error(`${path.join('.')}: ${keyword} is not structural`);
  }
}

function toStructural(node: StructuralSchema): StructuralSchema {
  const converted: StructuralSchema = { ...node, ...children(node), ...intOrString(node) };
  if (node['x-kubernetes-preserve-unknown-fields']) delete converted.additionalProperties;
  return Object.fromEntries(
    KEYWORDS.filter(keyword => isSaid(converted, keyword)).map(keyword => [keyword, converted[keyword]]),
  );
}

function children(node: StructuralSchema): StructuralSchema {
  const { properties, additionalProperties, items } = node;
  return {
    ...(properties && { properties: mapValues(properties, toStructural) }),
    ...(additionalProperties && { additionalProperties: toStructural(additionalProperties) }),
    ...(items && { items: toStructural(items) }),
  };
}

/** The one union that a structural schema allows, and only in exactly this form. */
function intOrString(node: StructuralSchema): StructuralSchema {
  return node['x-kubernetes-int-or-string'] ? { anyOf: [{ type: 'integer' }, { type: 'string' }] } : {};
}

function isSaid(node: StructuralSchema, keyword: string): boolean {
  const value = node[keyword];
  // zod bounds every integer by what JavaScript can count exactly; that is no rule of ours
  if (keyword === 'minimum' || keyword === 'maximum')
    return value !== undefined && Number.isSafeInteger(value) && !isEdge(value);
  return value !== undefined;
}

const isEdge = (value: unknown) => Math.abs(value as number) === Number.MAX_SAFE_INTEGER;

const mapValues = <T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
