import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isObject, type JsonSchema, resolveRef, subschemaPlaces } from './json-schema.ts';
import { assertsNothing, SchemaEquality } from './schema-equality.ts';

/** A schema with its references written out, without annotations. */
function bare(schema: unknown, root: JsonSchema): unknown {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).filter(([keyword]) => !assertsNothing({ [keyword]: 0 }));
  if (entries.length === 1 && entries[0]![0] === '$ref') return bare(resolveRef(root, schema.$ref), root);
  return Object.fromEntries(entries.map(([keyword, value]) => [keyword, bareValue(keyword, value, root)]));
}

function bareValue(keyword: string, value: unknown, root: JsonSchema): unknown {
  if (keyword === '$ref') return bare(resolveRef(root, value), root);
  if ((keyword === 'type' || keyword === 'required') && Array.isArray(value)) return [...value].sort();
  const place = subschemaPlaces.get(keyword);
  if (place === 'one') return bare(value, root);
  if (place === 'list') return (value as unknown[]).map((each) => bare(each, root));
  if (place === undefined) return value;
  return Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, bare(each, root)]));
}

const value = fc.constantFrom<unknown>(0, -0, 1, '1', null, [0], [-0], { a: 1, b: 2 }, { b: 2, a: 1 }, '#0', [], {});
const schema = fc.letrec<{ any: JsonSchema }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    fc.boolean(),
    value.map((each) => ({ const: each })),
    fc.constant({ $ref: '#/$defs/x' }),
    fc.tuple(fc.constantFrom('a', 'b'), fc.boolean()).map(([title, uniqueItems]) => ({ title, uniqueItems })),
    fc.constantFrom(
      { type: ['string', 'null'] },
      { type: ['null', 'string'] },
      { type: 'string' },
      { required: ['b'] },
    ),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => ({ properties: { a, b } })),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => ({ properties: { b, a } })),
    fc.tuple(fc.constantFrom('allOf', 'anyOf'), tie('any')).map(([keyword, a]) => ({ [keyword]: [a] })),
    fc.tuple(tie('any'), tie('any')).map(([not, items]) => ({ $ref: '#/$defs/x', not, items })),
  ),
})).any;
const definition = value.map((each) => ({ enum: [each] }));

test('schemas are the same when they are deeply equal with their references written out', () => {
  let same = 0;
  fc.assert(
    fc.property(schema, schema, definition, definition, (a, b, x, y) => {
      const [aRoot, bRoot] = [{ $defs: { x } }, { $defs: { x: y } }];
      const equality = new SchemaEquality();
      for (const [one, oneRoot] of [[a, aRoot] as const, [b, bRoot] as const]) {
        const expected = isDeepStrictEqual(bare(one, oneRoot), bare(b, bRoot));
        if (expected) same++;
        expect(equality.areSame(one, oneRoot, b, bRoot)).toBe(expected);
        expect(equality.areSame(b, bRoot, one, oneRoot)).toBe(expected);
      }
    }),
    { numRuns: 1_000 },
  );
  expect(same).toBeGreaterThan(1_000);
});

test('values are the same, and among others, when they are deeply equal', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 3 }), value, (list, wanted) => {
      const equality = new SchemaEquality();
      for (const each of list) expect(equality.areSameValues(each, wanted)).toBe(isDeepStrictEqual(each, wanted));
      expect(equality.isOneOf(wanted, list)).toBe(list.some((each) => isDeepStrictEqual(each, wanted)));
    }),
  );
});

test('what many references lead to is looked at once', () => {
  let looks = 0;
  const counted = new Proxy([1, 2, 3], {
    get: (target, name) => {
      if (name === '0') looks++;
      return Reflect.get(target, name);
    },
  });
  const properties = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`p${i}`, { $ref: '#/$defs/x' }]));
  const [a, b] = [
    { properties, $defs: { x: { const: counted } } },
    { properties, $defs: { x: { const: [1, 2, 3] } } },
  ];
  const equality = new SchemaEquality();
  for (let i = 0; i < 50; i++) expect(equality.areSame({ allOf: [a] }, a, { allOf: [b] }, b)).toBe(true);
  expect(looks).toBe(1);
});
