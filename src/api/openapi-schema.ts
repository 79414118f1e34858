import { z } from 'zod';

export type JsonSchema = { [name: string]: unknown };

/** Schemas with an id (`.meta({ id })`), gathered for `components.schemas`. */
export type Components = Record<string, JsonSchema>;

/**
 * A zod schema as JSON Schema 2020-12, the dialect of OpenAPI 3.1. Schemas with an id are moved to `components` and referred to.
 * @param io `input` for what callers send, `output` for what they get
 */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output', components: Components): JsonSchema {
  const made = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' }) as JsonSchema;
  const { $schema: _, $defs = {}, ...rest } = made;
  for (const [id, definition] of Object.entries($defs as Components))
    components[id] = tidy(definition, io) as JsonSchema;
  return tidy(rest, io) as JsonSchema;
}

function tidy(node: unknown, io: 'input' | 'output'): unknown {
  if (Array.isArray(node)) return node.map((item) => tidy(item, io));
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node as JsonSchema).filter(([name, value]) =>
    isWanted(name, value, node as JsonSchema, io),
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, name === '$ref' ? refOf(value) : tidy(value, io)]));
}

/**
 * Leaves out what says nothing. Of answers it also leaves out the promise that they never get another field, because additions must break
 * nobody.
 */
function isWanted(name: string, value: unknown, node: JsonSchema, io: 'input' | 'output'): boolean {
  if (name === 'additionalProperties' && value === false) return io === 'input';
  if (name === 'pattern') return node.format !== 'date-time' && node.format !== 'uuid';
  if (name === 'propertyNames') return Object.keys(value as object).length > 1;
  return Math.abs(Number(value)) !== Number.MAX_SAFE_INTEGER || (name !== 'minimum' && name !== 'maximum');
}

function refOf(value: unknown): string {
  return String(value).replace('#/$defs/', '#/components/schemas/');
}
