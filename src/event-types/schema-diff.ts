import { isDeepStrictEqual } from 'node:util';
import type { Fault } from '../domain/errors.ts';
import type { Problem } from './compare-schemas.ts';
import { isObject, type JsonSchema, placeStep, resolveRef, subschemaPlaces, subschemasAt } from './json-schema.ts';

export interface SchemaDiff {
  readonly added: readonly { readonly path: string; readonly schema: unknown }[];
  readonly removed: readonly { readonly path: string; readonly schema: unknown }[];
  readonly changed: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
}

/** What a schema says about one path, and not about those below it. */
type Said = Readonly<Record<string, unknown>>;

const ROOT = 'data';
/** How many characters of JSON each of the three lists has at most: a definition is shown at every path that refers to it. */
export const MAX_DIFF_LENGTH = 256 * 1024;

/**
 * Finds what differs between two schemas, by the path of the values that they describe: `data.customer.id`, `data.items.[].price`, with the
 * keyword where it describes no property (`data.anyOf.0`). Each path shows only what is said about it, and whether it is required. Lists
 * that would be longer than `MAX_DIFF_LENGTH` are cut.
 */
export function schemaDiff(from: JsonSchema, to: JsonSchema): SchemaDiff {
  const [older, newer] = [described(from), described(to)];
  const areSame = rememberedSameness();
  return {
    added: cut(newer, (path, schema) => (older.has(path) ? null : { path, schema })),
    removed: cut(older, (path, schema) => (newer.has(path) ? null : { path, schema })),
    changed: cut(newer, (path, schema) => {
      const before = older.get(path);
      return before === undefined || areSame(before, schema) ? null : { path, from: before, to: schema };
    }),
  };
}

/** A problem of compatibility, by the path at which the diff shows what has changed. */
export function problemInDiff({ place, keyword, message }: Problem): Fault {
  return {
    path: place === '' ? ROOT : `${ROOT}.${place}`,
    message: keyword === '' ? message : `${keyword} ${message}`,
  };
}

/** As many of the first entries as are short enough together. */
function cut<T>(paths: ReadonlyMap<string, Said>, entryOf: (path: string, said: Said) => T | null): T[] {
  const entries: T[] = [];
  let length = 0;
  for (const [path, said] of paths) {
    const entry = entryOf(path, said);
    if (entry === null) continue;
    length += JSON.stringify(entry).length;
    if (length > MAX_DIFF_LENGTH) break;
    entries.push(entry);
  }
  return entries;
}

/** Compares values of keywords. Objects of two definitions, to which many paths may refer, are compared once. */
function rememberedSameness(): (a: Said, b: Said) => boolean {
  const known = new Map<unknown, Map<unknown, boolean>>();
  const isSame = (a: unknown, b: unknown) => {
    // Not remembered: a map takes 0 and -0 for the same key.
    if (typeof a !== 'object' || typeof b !== 'object') return Object.is(a, b);
    const ofFirst = known.get(a) ?? new Map<unknown, boolean>();
    known.set(a, ofFirst);
    const found = ofFirst.get(b) ?? isDeepStrictEqual(a, b);
    ofFirst.set(b, found);
    return found;
  };
  return (a, b) => {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
    );
  };
}

function described(root: JsonSchema): Map<string, Said> {
  const found = new Map<string, Said>();
  describe(root, root, ROOT, found);
  return found;
}

function describe(schema: JsonSchema, root: JsonSchema, path: string, found: Map<string, Said>): void {
  const say = (at: string, said: Said) => found.set(at, { ...found.get(at), ...said });
  if (!isObject(schema)) {
    say(path, { accepts: schema ? 'anything' : 'nothing' });
    return;
  }
  const { $ref: ref, $schema: _, $defs: __, required, ...rest } = schema;
  if (typeof ref === 'string') describe(resolveRef(root, ref), root, path, found);
  say(path, Object.fromEntries(Object.entries(rest).filter(([keyword]) => !subschemaPlaces.has(keyword))));
  for (const [keyword, value] of Object.entries(rest)) {
    for (const inner of subschemasAt(keyword, value)) {
      describe(inner.schema as JsonSchema, root, `${path}.${placeStep(inner.path)}`, found);
    }
  }
  // Also names that are described elsewhere, or nowhere.
  for (const name of (required ?? []) as string[]) say(`${path}.${name}`, { required: true });
}
