import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonSchema, resolveRef, subschemaPlaces, subschemasAt } from './json-schema.ts';

export interface SchemaDiff {
  readonly added: readonly { readonly path: string; readonly schema: unknown }[];
  readonly removed: readonly { readonly path: string; readonly schema: unknown }[];
  readonly changed: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
}

/**
 * What differs between two schemas, by the path of the values that they describe: `data.customer.id`, `data.items.[].price`, with the
 * keyword where it describes no property (`data.anyOf.0`). Each path shows what is said of it alone, and whether it is required.
 */
export function schemaDiff(from: JsonSchema, to: JsonSchema): SchemaDiff {
  const [older, newer] = [described(from), described(to)];
  const added = [...newer].filter(([path]) => !older.has(path)).map(([path, schema]) => ({ path, schema }));
  const removed = [...older].filter(([path]) => !newer.has(path)).map(([path, schema]) => ({ path, schema }));
  const changed = [...newer].flatMap(([path, schema]) => {
    const before = older.get(path);
    return before === undefined || isDeepStrictEqual(before, schema) ? [] : [{ path, from: before, to: schema }];
  });
  return { added, removed, changed };
}

function described(root: JsonSchema): Map<string, unknown> {
  const found = new Map<string, unknown>();
  describe(root, root, 'data', false, found);
  return found;
}

function describe(
  schema: JsonSchema,
  root: JsonSchema,
  path: string,
  isRequired: boolean,
  found: Map<string, unknown>,
): void {
  const mark = isRequired ? { required: true } : {};
  if (!isObject(schema)) {
    found.set(path, { accepts: schema ? 'anything' : 'nothing', ...mark });
    return;
  }
  const { $ref: ref, $schema: _, $defs: __, required, ...rest } = schema;
  if (typeof ref === 'string') describe(resolveRef(root, ref), root, path, isRequired, found);
  const own = Object.fromEntries(Object.entries(rest).filter(([keyword]) => !subschemaPlaces.has(keyword)));
  found.set(path, { ...(found.get(path) as object | undefined), ...own, ...mark });
  const names = new Set((required ?? []) as string[]);
  for (const [keyword, value] of Object.entries(rest)) {
    for (const inner of subschemasAt(keyword, value)) {
      const name = keyword === 'properties' ? inner.path.slice('properties.'.length) : '';
      describe(inner.schema as JsonSchema, root, `${path}.${stepOf(keyword, inner.path)}`, names.has(name), found);
    }
  }
}

function stepOf(keyword: string, path: string): string {
  if (keyword === 'properties') return path.slice('properties.'.length);
  if (keyword === 'items') return '[]';
  return keyword === 'additionalProperties' ? '*' : path;
}
