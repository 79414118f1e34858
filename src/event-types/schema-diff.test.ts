import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compatibilityProblems } from './compatibility.ts';
import type { JsonSchema } from './json-schema.ts';
import { MAX_DIFF_LENGTH, problemInDiff, schemaDiff } from './schema-diff.ts';

const referring = (places: number, definition: JsonSchema): JsonSchema => ({
  properties: Object.fromEntries(Array.from({ length: places }, (_, i) => [`p${i}`, { $ref: '#/$defs/x' }])),
  $defs: { x: definition },
});

test('a diff shows what is said of each path, and whether it is required', () => {
  const from = { required: ['a'], properties: { a: { type: 'string' }, b: { type: 'string' }, c: true } };
  const to = { properties: { a: { type: 'string' }, b: { type: 'string' }, d: { items: { const: 1 } } } };
  expect(schemaDiff(from, to)).toEqual({
    added: [
      { path: 'data.d', schema: {} },
      { path: 'data.d.[]', schema: { const: 1 } },
    ],
    removed: [{ path: 'data.c', schema: { accepts: 'anything' } }],
    changed: [{ path: 'data.a', from: { type: 'string', required: true }, to: { type: 'string' } }],
  });
});

test('a diff shows names that are required, described beside it, elsewhere or nowhere', () => {
  const within = (required: string[]) => ({
    $ref: '#/$defs/x',
    properties: { a: true, b: { $ref: '#/$defs/y' } },
    $defs: { x: { required }, y: { type: 'string' } },
  });
  expect(schemaDiff(within([]), within(['a', 'b', 'c']))).toEqual({
    added: [{ path: 'data.c', schema: { required: true } }],
    removed: [],
    changed: [
      { path: 'data.a', from: { accepts: 'anything' }, to: { accepts: 'anything', required: true } },
      { path: 'data.b', from: { type: 'string' }, to: { type: 'string', required: true } },
    ],
  });
});

test('a diff tells other properties from a property, what nothing is from anything, and parts by their keyword', () => {
  const from = { additionalProperties: true, anyOf: [{ type: 'string' }] };
  const to = { additionalProperties: false, anyOf: [{ type: 'number' }] };
  expect(schemaDiff(from, to)).toEqual({
    added: [],
    removed: [],
    changed: [
      { path: 'data.*', from: { accepts: 'anything' }, to: { accepts: 'nothing' } },
      { path: 'data.anyOf.0', from: { type: 'string' }, to: { type: 'number' } },
    ],
  });
});

const items = (price: JsonSchema) => ({ type: 'array', items: { type: 'object', properties: { price } } });

test('what breaks is told by the paths of the lists, with what refuses it', () => {
  const from = {
    properties: { a: { type: 'string' }, list: items({ maximum: 9 }), one: { type: 'integer' }, s: { title: 's' } },
    dependentRequired: {},
    additionalProperties: true,
  };
  const to = {
    required: ['b'],
    properties: {
      a: { type: 'number' },
      list: items({ maximum: 5 }),
      one: { $ref: '#/$defs/one', maximum: 9 },
      s: { anyOf: [{ const: 1 }, { const: 2 }] },
    },
    dependentRequired: { a: ['one'] },
    additionalProperties: { type: 'string' },
    $defs: { one: { type: 'integer', minimum: 0 } },
  };
  const problems = compatibilityProblems(from, to).map(problemInDiff);
  expect(problems).toEqual([
    { path: 'data.b', message: 'is required now and was not; make it optional' },
    { path: 'data.one', message: 'is required beside a now and was not' },
    { path: 'data.a', message: 'type no longer accepts string' },
    { path: 'data.list.[].price', message: 'maximum refuses numbers that were accepted' },
    { path: 'data.one', message: 'maximum refuses numbers that were accepted' },
    { path: 'data.one', message: 'minimum refuses numbers that were accepted' },
    { path: 'data.s', message: 'anyOf has no alternative that accepts all of what was accepted' },
    { path: 'data.*', message: 'type no longer accepts null, boolean, number, array, object' },
  ]);
  const { added, changed } = schemaDiff(from, to);
  const shown = [...added, ...changed].map(({ path }) => path);
  expect(problems.filter(({ path }) => !shown.includes(path))).toEqual([]);
});

test('what breaks everywhere is told of the data as a whole', () => {
  expect(compatibilityProblems({}, false).map(problemInDiff)).toEqual([
    { path: 'data', message: 'forbids what was accepted' },
  ]);
});

test('each list of a diff is cut, from its end', () => {
  const long = (title: string) => referring(240, { title, const: 'x'.repeat(5_000) });
  const changed = schemaDiff(long('a'), long('b'));
  expect(changed.changed.length).toBeGreaterThan(20);
  expect(changed.changed[0]!.path).toBe('data.p0');
  const added = schemaDiff({}, long('a'));
  const removed = schemaDiff(long('a'), {});
  for (const list of [changed.changed, added.added, removed.removed]) {
    expect(list.length).toBeLessThan(100);
    expect(JSON.stringify(list).length).toBeLessThan(MAX_DIFF_LENGTH * 1.01);
  }
});

test('values of definitions that many paths refer to are compared once', () => {
  let looks = 0;
  const counted = new Proxy([1, 2, 3], {
    get: (target, name) => {
      if (name === '0') looks++;
      return Reflect.get(target, name);
    },
  });
  const diff = schemaDiff(referring(50, { const: counted }), referring(50, { const: [1, 2, 3] }));
  expect(diff.changed).toEqual([]);
  expect(looks).toBeLessThan(5);
});

const said = fc.record(
  {
    title: fc.constantFrom('a', 'b'),
    const: fc.oneof(fc.constantFrom(0, -0, null), fc.array(fc.constantFrom(1, 'x', { a: 1 }), { maxLength: 2 })),
    required: fc.subarray(['a', 'b']),
  },
  { requiredKeys: [] },
);
const schema = fc
  .tuple(said, fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(said, fc.constant({ $ref: '#/$defs/x' }))), said)
  .map(([own, properties, definition]) => ({ ...own, properties, $defs: { x: definition } }));

test('paths change where what is said of them is not deeply the same', () => {
  fc.assert(
    fc.property(schema, schema, (from, to) => {
      const all = (each: JsonSchema) => new Map(schemaDiff({}, each).added.map(({ path, schema }) => [path, schema]));
      const [before, after] = [all(from), all(to)];
      const expected = [...after].filter(
        ([path, now]) => before.has(path) && !isDeepStrictEqual(before.get(path), now),
      );
      const changed = schemaDiff(from, to).changed.filter(({ path }) => path !== 'data');
      expect(changed.map(({ path }) => path)).toEqual(expected.map(([path]) => path));
    }),
    { numRuns: 500 },
  );
});
