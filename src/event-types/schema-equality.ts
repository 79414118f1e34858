import { isObject, type JsonSchema, resolveRef, type SchemaObject, subschemaPlaces } from './json-schema.ts';

const ANNOTATIONS = new Set([
  'title',
  'description',
  '$comment',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
]);
const NO_ASSERTIONS = new Set([...ANNOTATIONS, '$schema', '$defs']);

export function isAnnotation(keyword: string): boolean {
  return ANNOTATIONS.has(keyword);
}

/** Whether a schema has nothing but annotations and definitions, and so accepts everything. */
export function assertsNothing(schema: object): boolean {
  return Object.keys(schema).every((keyword) => NO_ASSERTIONS.has(keyword));
}

/** The numbers of parts of a schema. The same object may be met as a schema, as the schemas of a keyword, or as names in any order. */
interface Known {
  readonly schemas: Map<unknown, number>;
  readonly parts: Map<unknown, number>;
}

/**
 * Tells whether schemas, or values, are the same. Each gets a number by what it says, made of the numbers of its parts, and equal ones get
 * the same. Numbers are remembered: so a comparison that asks at every step looks at each part once, however many references lead there.
 */
export class SchemaEquality {
  readonly #numbers = new Map<string, number>();
  readonly #known = new Map<JsonSchema, Known>();
  readonly #values = new Map<unknown, number>();
  readonly #names = new Map<unknown, number>();
  readonly #lists = new Map<unknown, ReadonlySet<number>>();

  /**
   * Whether two schemas say the same about values. References count as what they stand for; annotations and the order of names do not
   * count.
   */
  areSame(a: unknown, aRoot: JsonSchema, b: unknown, bRoot: JsonSchema): boolean {
    return this.#schema(a, aRoot) === this.#schema(b, bRoot);
  }

  areSameValues(a: unknown, b: unknown): boolean {
    return this.#value(a) === this.#value(b);
  }

  isOneOf(value: unknown, list: readonly unknown[]): boolean {
    const numbers = this.#lists.get(list) ?? new Set(list.map((each) => this.#value(each)));
    this.#lists.set(list, numbers);
    return numbers.has(this.#value(value));
  }

  /** This comes to an end, because `readSchema` refuses references that lead back. */
  #schema(schema: unknown, root: JsonSchema): number {
    if (!isObject(schema)) return this.#value(schema);
    return this.#once(this.#knownOf(root).schemas, schema, () => {
      const keywords = Object.keys(schema).filter((keyword) => !NO_ASSERTIONS.has(keyword));
      const isReference = keywords.length === 1 && keywords[0] === '$ref';
      if (isReference) return this.#schema(resolveRef(root, schema.$ref), root);
      return this.#number(namedForm(keywords, (keyword) => this.#keyword(keyword, schema[keyword], root)));
    });
  }

  #keyword(keyword: string, value: unknown, root: JsonSchema): number {
    if (keyword === '$ref') return this.#schema(resolveRef(root, value), root);
    if ((keyword === 'type' || keyword === 'required') && Array.isArray(value)) {
      return this.#once(this.#names, value, () => this.#number(canonical([...value].sort())));
    }
    const place = subschemaPlaces.get(keyword);
    if (place === undefined) return this.#value(value);
    if (place === 'one') return this.#schema(value, root);
    return this.#once(this.#knownOf(root).parts, value, () =>
      this.#number(
        place === 'list'
          ? `[${(value as unknown[]).map((each) => `#${this.#schema(each, root)}`).join()}]`
          : namedForm(Object.keys(value as object), (name) => this.#schema((value as SchemaObject)[name], root)),
      ),
    );
  }

  #value(value: unknown): number {
    // Not by `#once`: a map takes 0 and -0 for the same key.
    if (typeof value === 'number') return this.#number(canonical(value));
    return this.#once(this.#values, value, () => this.#number(canonical(value)));
  }

  #once(known: Map<unknown, number>, key: unknown, make: () => number): number {
    const found = known.get(key) ?? make();
    known.set(key, found);
    return found;
  }

  #number(form: string): number {
    const found = this.#numbers.get(form) ?? this.#numbers.size;
    this.#numbers.set(form, found);
    return found;
  }

  #knownOf(root: JsonSchema): Known {
    const known = this.#known.get(root) ?? { schemas: new Map(), parts: new Map() };
    this.#known.set(root, known);
    return known;
  }
}

/** Writes something by the numbers of its named parts, with a `#` before each: no text of `canonical` looks like that. */
function namedForm(names: readonly string[], numberOf: (name: string) => number): string {
  return `{${[...names]
    .sort()
    .map((name) => `${JSON.stringify(name)}:#${numberOf(name)}`)
    .join()}}`;
}

/** A text that is the same for all values that are deeply equal. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (isObject(value)) {
    const members = Object.keys(value).sort();
    return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
  }
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}
