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

/** Whether a schema says nothing but what people read. */
export function assertsNothing(schema: object): boolean {
  return Object.keys(schema).every((keyword) => NO_ASSERTIONS.has(keyword));
}

/** What was numbered of a schema. The same object may be met as a schema, as the schemas of a keyword, or as names in any order. */
interface Known {
  readonly schemas: Map<unknown, number>;
  readonly parts: Map<unknown, number>;
}

/**
 * Tells whether schemas, or values, are the same. Each has a number by what it says, made of the numbers of its parts; what was numbered once is
 * known, so that a comparison that asks at every step looks at each part once, however many references lead there.
 */
export class SchemaEquality {
  readonly #numbers = new Map<string, number>();
  readonly #known = new Map<JsonSchema, Known>();
  readonly #values = new Map<unknown, number>();
  readonly #names = new Map<unknown, number>();
  readonly #lists = new Map<unknown, ReadonlySet<number>>();

  /** Whether two schemas say the same of values: references written out, annotations and the order of names left out. */
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

  /** A schema is finite when its references are written out: `readSchema` refuses those that lead back. */
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
    // A map takes 0 and -0 for one.
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

/** No value is written like this: of numbers of parts. */
function namedForm(names: readonly string[], numberOf: (name: string) => number): string {
  return `{${[...names]
    .sort()
    .map((name) => `${JSON.stringify(name)}:#${numberOf(name)}`)
    .join()}}`;
}

/** One text for all values that are deeply equal. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (isObject(value)) {
    const members = Object.keys(value).sort();
    return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
  }
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}
