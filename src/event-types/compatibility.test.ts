import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { compatibility, compatibilityProblems } from './compatibility.ts';
import { compileCost } from './compile-cost.ts';
import { compileSchema } from './compile-schema.ts';
import { type JsonSchema, subschemaPlaces } from './json-schema.ts';
import { LinearPattern } from './linear-pattern.ts';
import { readSchema } from './read-schema.ts';

const money = { type: 'object', required: ['amount'], properties: { amount: { type: 'integer', minimum: 0 } } };
const open = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
const closed = (properties: object, more: object = {}) => open(properties, { additionalProperties: false, ...more });
const text = { type: 'string' };
const number = { type: 'number' };
const condition = (test: object, consequence: object) =>
  Object.fromEntries([
    ['if', test],
    ['then', consequence],
  ]);

/** [what changes, before, after, the first path that breaks; null: compatible] */
const pairs: readonly (readonly [string, JsonSchema, JsonSchema, string | null])[] = [
  ['nothing', money, money, null],
  ['the order of names', open({ a: text, b: text }), { properties: { b: text, a: text }, type: 'object' }, null],
  ['annotations', { ...money, title: 'a' }, { ...money, description: 'b', examples: [1] }, null],
  ['everything is allowed', money, true, null],
  ['everything is allowed, as an object', money, { title: 'anything' }, null],
  ['nothing was allowed', false, money, null],
  ['nothing is allowed', money, false, ''],
  ['a type is new', true, { type: 'object' }, 'type'],
  ['a type is dropped', { type: ['string', 'null'] }, text, 'type'],
  ['a type is added', text, { type: ['string', 'null'] }, null],
  ['integer becomes number', { type: 'integer' }, number, null],
  ['number becomes integer', number, { type: 'integer' }, 'type'],
  ['a type is another', text, number, 'type'],
  ['a property of another type', open({ a: text }), open({ a: number }), 'properties.a.type'],
  ['an optional property is added to an open schema', open({ a: text }), open({ a: text, b: number }), null],
  ['an optional property is added to a closed schema', closed({ a: text }), closed({ a: text, b: number }), null],
  [
    'an optional property is added beside an explicit true',
    open({}, { additionalProperties: true }),
    open({ b: number }),
    'properties.b.type',
  ],
  [
    'an optional property is added deep inside',
    open({ a: open({ x: text }) }),
    open({ a: open({ x: text, y: number }) }),
    null,
  ],
  ['an added property is required', open({ a: text }), open({ a: text, b: text }, { required: ['b'] }), 'required.b'],
  ['an optional property becomes required', open({ a: text }), open({ a: text }, { required: ['a'] }), 'required.a'],
  ['a required property becomes optional', open({ a: text }, { required: ['a'] }), open({ a: text }), null],
  ['a property is no longer described', open({ a: text, b: text }), open({ a: text }), null],
  ['a property is forbidden', open({ a: text, b: text }), open({ a: text, b: false }), 'properties.b'],
  [
    'a property disappears from a closed schema',
    closed({ a: text, b: text }),
    closed({ a: text }),
    'additionalProperties',
  ],
  ['an open schema is closed', open({ a: text }), closed({ a: text }), 'additionalProperties'],
  ['a closed schema is opened', closed({ a: text }), open({ a: text }), null],
  ['other properties get a type', open({}), open({}, { additionalProperties: text }), 'additionalProperties.type'],
  [
    'other properties get a wider type',
    open({}, { additionalProperties: { type: 'integer' } }),
    open({}, { additionalProperties: number }),
    null,
  ],
  [
    'a named property is narrower than the others were',
    open({}, { additionalProperties: number }),
    open({ a: { type: 'integer' } }),
    'properties.a.type',
  ],
  [
    'a pattern of names is added',
    open({ a: text }),
    open({ a: text }, { patternProperties: { '^x': text } }),
    'patternProperties.^x.type',
  ],
  [
    'a property of what may be anything is described',
    open({ a: true }),
    open({ a: { properties: { b: text } } }),
    'properties.a.properties.b.type',
  ],
  [
    'a property of items that may be anything is described',
    {},
    { items: { properties: { a: text } } },
    'items.properties.a.type',
  ],
  ['a pattern of names is dropped', open({}, { patternProperties: { '^x': text } }), open({}), null],
  [
    'a pattern of names is dropped from a closed schema',
    closed({}, { patternProperties: { '^x': text } }),
    closed({}),
    'additionalProperties',
  ],
  [
    'a pattern of names is narrowed',
    open({}, { patternProperties: { '^x': number } }),
    open({}, { patternProperties: { '^x': { type: 'integer' } } }),
    'patternProperties.^x.type',
  ],
  [
    'names of a pattern get another type by another pattern',
    closed({}, { patternProperties: { '^x': number } }),
    open({}, { patternProperties: { '^xy': text } }),
    'patternProperties.^xy.type',
  ],
  [
    'what a pattern of names says more of is described otherwise',
    open({ ab: open({}) }, { patternProperties: { '^a': open({ x: text }) } }),
    open({ ab: open({ x: number }) }),
    'properties.ab.properties.x.type',
  ],
  ['names are bounded', open({}), open({}, { propertyNames: { maxLength: 5 } }), 'propertyNames.maxLength'],
  [
    'names are bounded where none were allowed',
    open({}, { propertyNames: false }),
    open({}, { propertyNames: { maxLength: 5 } }),
    null,
  ],
  [
    'the bound of names is raised',
    open({}, { propertyNames: { maxLength: 5 } }),
    open({}, { propertyNames: { maxLength: 6 } }),
    null,
  ],
  ['more properties are wanted', open({}, { minProperties: 1 }), open({}, { minProperties: 2 }), 'minProperties'],
  ['fewer properties are allowed', open({}, { maxProperties: 5 }), open({}, { maxProperties: 4 }), 'maxProperties'],
  ['a property wants another', open({}), open({}, { dependentRequired: { a: ['b'] } }), 'dependentRequired.a.b'],
  [
    'a property wants what is required anyway',
    open({}, { required: ['b'] }),
    open({}, { required: ['b'], dependentRequired: { a: ['b'] } }),
    null,
  ],
  [
    'a property named like a method wants another',
    open({}, { dependentRequired: { a: ['b'] } }),
    open({}, { dependentRequired: { constructor: ['b'] } }),
    'dependentRequired.constructor.b',
  ],
  ['a property that was never described is forbidden', open({}), open({ a: false }), 'properties.a'],
  [
    'what is counted is wider, and few may be',
    { contains: { const: 1 }, minContains: 0, maxContains: 1 },
    { contains: { enum: [1, 2] }, minContains: 0, maxContains: 1 },
    'maxContains',
  ],
  [
    'what is counted by a definition is wider, and few may be',
    { contains: { $ref: '#/$defs/x' }, minContains: 0, maxContains: 1, $defs: { x: text } },
    { contains: { $ref: '#/$defs/x' }, minContains: 0, maxContains: 1, $defs: { x: { type: ['string', 'null'] } } },
    'maxContains',
  ],
  [
    'objects that are counted are described less, and few may be',
    { contains: open({ a: text }), minContains: 0, maxContains: 1 },
    { contains: open({}), minContains: 0, maxContains: 1 },
    'maxContains',
  ],
  [
    'what is counted is narrower, and few may be',
    { contains: { enum: [1, 2] }, minContains: 0, maxContains: 1 },
    { contains: { const: 1 }, minContains: 0, maxContains: 1 },
    null,
  ],
  ['a constant gets an enum without it', { const: 1 }, { const: 1, enum: [2] }, 'const'],
  ['an enum is narrowed', { enum: ['a', 'b'] }, { enum: ['a'] }, 'enum'],
  ['an enum is widened', { enum: ['a'] }, { enum: ['a', 'b'] }, null],
  ['an enum is new', text, { type: 'string', enum: ['a'] }, 'enum'],
  ['an enum is dropped for its type', { enum: ['a', 'b'] }, text, null],
  ['an enum is dropped for a bound that all fit', { enum: ['a', 'bb'] }, { type: 'string', maxLength: 2 }, null],
  ['an enum is dropped for a bound that one breaks', { enum: ['a', 'bbb'] }, { type: 'string', maxLength: 2 }, ''],
  ['a constant becomes an enum', { const: 1 }, { enum: [1, 2] }, null],
  ['a constant changes', { const: 1 }, { const: 2 }, 'const'],
  ['a constant is new', number, { const: 2 }, 'const'],
  ['a minimum is raised', { type: 'number', minimum: 1 }, { type: 'number', minimum: 2 }, 'minimum'],
  ['a minimum is lowered', { type: 'number', minimum: 1 }, { type: 'number', minimum: 0 }, null],
  ['a minimum is new', number, { type: 'number', minimum: 0 }, 'minimum'],
  [
    'a minimum becomes exclusive',
    { type: 'number', minimum: 1 },
    { type: 'number', exclusiveMinimum: 1 },
    'exclusiveMinimum',
  ],
  [
    'an exclusive minimum becomes inclusive',
    { type: 'number', exclusiveMinimum: 1 },
    { type: 'number', minimum: 1 },
    null,
  ],
  [
    'an exclusive minimum stays',
    { type: 'number', exclusiveMinimum: 1 },
    { type: ['number', 'null'], exclusiveMinimum: 1 },
    null,
  ],
  [
    'a minimum becomes a lower exclusive one',
    { type: 'number', minimum: 1 },
    { type: 'number', exclusiveMinimum: 0 },
    null,
  ],
  ['a maximum is lowered', { type: 'number', maximum: 5 }, { type: 'number', maximum: 4 }, 'maximum'],
  ['a maximum is raised', { type: 'number', maximum: 5 }, { type: 'number', maximum: 6 }, null],
  [
    'a maximum becomes exclusive',
    { type: 'number', maximum: 5 },
    { type: 'number', exclusiveMaximum: 5 },
    'exclusiveMaximum',
  ],
  ['a bound of numbers is added where there are none', text, { type: 'string', minimum: 5 }, null],
  ['a coarser step', { type: 'number', multipleOf: 2 }, { type: 'number', multipleOf: 4 }, 'multipleOf'],
  ['a finer step', { type: 'number', multipleOf: 4 }, { type: 'number', multipleOf: 2 }, null],
  ['a step of a tenth of it', { type: 'number', multipleOf: 11 }, { type: 'number', multipleOf: 1.1 }, null],
  ['a step that it is by decimals', { type: 'number', multipleOf: 0.3 }, { type: 'number', multipleOf: 0.1 }, null],
  ['a step that it is by rounding', { multipleOf: 1e16 }, { multipleOf: 0.7 }, 'multipleOf'],
  ['a step of 1 for integers', { type: 'integer' }, { type: 'integer', multipleOf: 1 }, null],
  ['a length is bounded', text, { type: 'string', maxLength: 10 }, 'maxLength'],
  ['a length is bounded tighter', { type: 'string', maxLength: 10 }, { type: 'string', maxLength: 9 }, 'maxLength'],
  ['all but the empty text is refused', text, { type: 'string', maxLength: 0 }, 'maxLength'],
  ['a length is bounded looser', { type: 'string', minLength: 2 }, { type: 'string', minLength: 1 }, null],
  ['a least length of 0', text, { type: 'string', minLength: 0 }, null],
  ['a pattern is new', text, { type: 'string', pattern: '^a' }, 'pattern'],
  ['a pattern changes', { type: 'string', pattern: '^a' }, { type: 'string', pattern: '^b' }, 'pattern'],
  ['a pattern is dropped', { type: 'string', pattern: '^a' }, text, null],
  ['a format is new', text, { type: 'string', format: 'uuid' }, 'format'],
  ['a format is dropped', { type: 'string', format: 'uuid' }, text, null],
  ['items get a type', { type: 'array' }, { type: 'array', items: text }, 'items.type'],
  ['items get a wider type', { type: 'array', items: { type: 'integer' } }, { type: 'array', items: number }, null],
  [
    'an item property is required',
    { items: open({ a: text }) },
    { items: open({ a: text }, { required: ['a'] }) },
    'items.required.a',
  ],
  [
    'a first item is narrowed',
    { items: number },
    { prefixItems: [{ type: 'integer' }], items: number },
    'prefixItems.0.type',
  ],
  ['a first item is no longer special', { prefixItems: [{ type: 'integer' }], items: number }, { items: number }, null],
  [
    'items of which the second was special are all to be alike',
    { prefixItems: [number, text], items: number },
    { items: number },
    'items.type',
  ],
  ['an item that could not be there is described', { maxItems: 1 }, { maxItems: 1, prefixItems: [{}, text] }, null],
  ['items beyond the first are forbidden', { prefixItems: [text] }, { prefixItems: [text], items: false }, 'items'],
  [
    'items that could not be there are forbidden',
    { type: 'array', maxItems: 1, prefixItems: [text] },
    { type: 'array', maxItems: 1, prefixItems: [text], items: false },
    null,
  ],
  ['more items are wanted', { type: 'array', minItems: 1 }, { type: 'array', minItems: 2 }, 'minItems'],
  ['fewer items are allowed', { type: 'array', maxItems: 3 }, { type: 'array', maxItems: 2 }, 'maxItems'],
  ['items are to differ', { type: 'array' }, { type: 'array', uniqueItems: true }, 'uniqueItems'],
  ['items that need not differ are to', { uniqueItems: false }, { uniqueItems: true }, 'uniqueItems'],
  ['items need not differ any more', { type: 'array', uniqueItems: true }, { type: 'array' }, null],
  ['an item is wanted', { type: 'array' }, { type: 'array', contains: text }, 'contains'],
  [
    'a wanted item may be of more kinds',
    { type: 'array', contains: { const: 'a' } },
    { type: 'array', contains: text },
    null,
  ],
  [
    'so many wanted items are no longer allowed, of an array that a part wants them in',
    { allOf: [{ contains: text }] },
    { contains: text, maxContains: 2 },
    'maxContains',
  ],
  [
    'a pattern describes what another describes of the same names',
    { patternProperties: { '^a': { type: 'object' }, b: open({ x: number }) } },
    { patternProperties: { '^a': open({ x: text }), b: open({ x: number }) } },
    'patternProperties.^a.properties.x.type',
  ],
  [
    'a pattern that is new describes what two described together',
    { patternProperties: { '^a': { type: 'object' }, b: { type: 'object' } }, additionalProperties: false },
    { patternProperties: { c: open({ x: text }) } },
    'patternProperties.c.properties.x.type',
  ],
  [
    'other properties are described, some of which two patterns described together',
    { patternProperties: { '^a': { type: 'object' }, b: { type: 'object' } }, additionalProperties: false },
    { additionalProperties: open({ x: text }) },
    'additionalProperties.properties.x.type',
  ],
  [
    'the only pattern describes more of its names',
    { patternProperties: { '^a': { type: 'object' } } },
    { patternProperties: { '^a': open({ x: text }) } },
    null,
  ],
  ['an alternative is added', { anyOf: [text, number] }, { anyOf: [text, number, { type: 'null' }] }, null],
  ['an alternative is dropped', { anyOf: [text, number] }, { anyOf: [text] }, 'anyOf'],
  ['an alternative describes what is added', open({}), { anyOf: [open({ b: number }), text] }, 'anyOf'],
  ['one schema becomes an alternative', text, { anyOf: [text, number] }, null],
  ['alternatives become a list of types', { anyOf: [text, number] }, { type: ['string', 'number'] }, null],
  ['an alternative of oneOf is added', { oneOf: [text, number] }, { oneOf: [text, number, { type: 'null' }] }, 'oneOf'],
  [
    'types of an alternative of oneOf in another order',
    { oneOf: [{ type: ['string', 'null'] }] },
    { oneOf: [{ type: ['null', 'string'] }] },
    null,
  ],
  ['oneOf becomes anyOf', { oneOf: [text, number] }, { anyOf: [text, number] }, null],
  ['a part is added', text, { allOf: [text, { maxLength: 5 }] }, 'allOf.1.maxLength'],
  ['a part is dropped', { allOf: [text, { maxLength: 5 }] }, text, null],
  ['parts are merged', { allOf: [text, { maxLength: 5 }] }, { type: 'string', maxLength: 5 }, null],
  ['a part describes what is added', { allOf: [open({ b: text })] }, open({ b: number }), 'properties.b.type'],
  [
    'a part inside describes what is added',
    open({ a: { type: 'object' } }, { allOf: [open({ a: open({ b: text }) })] }),
    open({ a: open({ b: number }) }),
    'properties.a.properties.b.type',
  ],
  [
    'an alternative of oneOf describes what is added',
    { oneOf: [open({ b: text }), { type: 'null' }] },
    { oneOf: [open({ b: text }), { type: 'null' }], properties: { b: number } },
    'properties.b.type',
  ],
  ['something is forbidden', text, { type: 'string', not: { const: 'a' } }, 'not'],
  ['what there never is is forbidden', text, { type: 'string', not: false }, null],
  ['less is forbidden', { not: { enum: ['a', 'b'] } }, { not: { enum: ['a'] } }, null],
  ['more is forbidden', { not: { enum: ['a'] } }, { not: { enum: ['a', 'b'] } }, 'not'],
  ['a condition is added', open({}), open({}, condition(open({ a: text }), { required: ['b'] })), 'if'],
  [
    'a condition describes what is added',
    condition({ required: ['a'] }, open({ b: text })),
    { ...condition({ required: ['a'] }, open({ b: text })), properties: { b: number } },
    'properties.b.type',
  ],
  [
    'what holds where a condition does not is narrowed',
    { ...condition(number, { minimum: 0 }), else: { maxLength: 5 } },
    { ...condition(number, { minimum: 0 }), else: { maxLength: 4 } },
    'if',
  ],
  ['a condition stays', condition(text, { maxLength: 2 }), { ...condition(text, { maxLength: 2 }), title: 'x' }, null],
  ['a definition is written out', { $ref: '#/$defs/m', $defs: { m: money } }, money, null],
  [
    'a definition is narrowed',
    { $ref: '#/$defs/m', $defs: { m: text } },
    { $ref: '#/$defs/m', $defs: { m: number } },
    'type',
  ],
  [
    'a definition is used in another way',
    open({ a: { $ref: '#/$defs/t' } }, { $defs: { t: text } }),
    open({ a: text, b: { $ref: '#/$defs/t' } }, { $defs: { t: text } }),
    null,
  ],
  [
    'what stands beside a reference',
    { $ref: '#/$defs/t', maxLength: 5, $defs: { t: text } },
    { type: 'string', maxLength: 5 },
    null,
  ],
  [
    'a part beside a reference is added',
    { $ref: '#/$defs/t', $defs: { t: text } },
    { $ref: '#/$defs/t', allOf: [{ maxLength: 5 }], $defs: { t: text } },
    'allOf.0.maxLength',
  ],
  ['a property named like a method', open({}), open({ constructor: text, toString: number }), null],
];

test.each(pairs)('%s', (_, before, after, path) => {
  expect([readSchema(before).ok, readSchema(after).ok]).toEqual([true, true]);
  const [first] = compatibilityProblems(before, after);
  expect(first?.path ?? null).toBe(path);
});

const repeated = (places: number, names: number, name = 'p') => ({
  properties: Object.fromEntries(Array.from({ length: places }, (_, i) => [`${name}${i}`, { $ref: '#/$defs/b' }])),
  $defs: { b: { required: Array.from({ length: names }, (_, i) => `r${i}`) } },
});

const tooIntricate = [{ path: '', message: expect.stringContaining('too intricate') }];

test('problems are counted: what has very many, or very long ones, is too intricate', () => {
  const before = { allOf: [{ title: 'x', maxProperties: 9 }] };
  expect(compatibilityProblems(before, repeated(5, 50))).toHaveLength(250);
  for (const after of [repeated(15, 500), repeated(2, 400, 'long'.repeat(1_000))]) {
    expect(readSchema(after).ok).toBe(true);
    expect(compatibilityProblems(before, after)).toMatchObject(tooIntricate);
  }
});

test('a pattern is compiled once, however many names it is tried on', () => {
  const named = (more: object) => ({
    properties: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`n${i}`, text])),
    patternProperties: { '^n': {}, '^x': {} },
    ...more,
  });
  const tried = vi.spyOn(LinearPattern.prototype, 'test');
  expect(compatibilityProblems(named({}), named({ minProperties: 0 }))).toEqual([]);
  expect(new Set(tried.mock.contexts).size).toBe(2);
  tried.mockRestore();
});

test('names that patterns would look at for too long are too intricate', () => {
  let seed = 1;
  const letter = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed % 1_000 < 500 ? 'a' : 'b';
  };
  const names = Array.from({ length: 100 }, () => Array.from({ length: 100 }, letter).join(''));
  const named = (more: object) => ({
    properties: Object.fromEntries(names.map((name) => [name, text])),
    patternProperties: { 'a(a|b){40}x': {} },
    ...more,
  });
  const after = named({ minProperties: 0 });
  expect(readSchema(after).ok).toBe(true);
  expect(compatibilityProblems(named({}), after)).toMatchObject(tooIntricate);
});

test('what is compiled to try values costs by its length', () => {
  const described = (length: number) => ({
    ...repeated(10, 0),
    $defs: { b: { maxLength: 9, description: 'd'.repeat(length) } },
  });
  const before = { properties: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`p${i}`, { const: 'a' }])) };
  expect(compatibilityProblems(before, described(100))).toEqual([]);
  expect(compatibilityProblems(before, described(40_000))).toMatchObject(tooIntricate);
});

test('what is compiled to try values is charged as compiling it is, and what is not compiled is not', () => {
  const grown = (count: number) => ({
    properties: Object.fromEntries(
      Array.from({ length: 5 }, (_, i) => [
        `p${i}`,
        { description: 'd', enum: Array.from({ length: count }, (_, at) => `v${at}`) },
      ]),
    ),
  });
  const { problems, cost } = compatibility(grown(10), grown(11));
  expect(problems).toEqual([]);
  // Beside them there are six schemas to go over, and 5 × 10 values to try.
  expect(cost).toBeLessThan(5 * compileCost(grown(11).properties.p0) + 30_000);
  const dear = compatibility({ enum: ['a'] }, { title: 't'.repeat(200_000), maxLength: 3 });
  expect(dear.problems).toMatchObject(tooIntricate);
  expect(dear.cost).toBeLessThan(10_000);
});

test('what would cost too much to try values by is measured once, however many these are', () => {
  const values = Array.from({ length: 1_000 }, (_, i) => i);
  const newer = { title: 't'.repeat(200_000), maxLength: 3 };
  const write = vi.spyOn(JSON, 'stringify');
  try {
    expect(compatibilityProblems({ enum: values }, newer)).toMatchObject(tooIntricate);
    expect(
      write.mock.calls.filter(([value]) => (value as typeof newer | null)?.title === newer.title).length,
    ).toBeLessThan(3);
  } finally {
    write.mockRestore();
  }
});

/** Values that tell schemas of this test apart. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom<unknown>(null, true, 0, 1, 2, 1.5, 0.9, 3.3, -1, '', 'a', 'b', 'aa'),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('any'), { maxKeys: 3 }),
  ),
})).any;

const leaf = fc.constantFrom<JsonSchema>(
  true,
  false,
  { type: 'string' },
  { type: ['string', 'null'] },
  { type: 'integer', minimum: 1 },
  { type: 'number', exclusiveMaximum: 2 },
  { multipleOf: 2 },
  { multipleOf: 0.3 },
  { multipleOf: 0.1 },
  { enum: ['a', 1, null] },
  { const: 'b' },
  { type: 'string', minLength: 1, maxLength: 1 },
  { pattern: '^a' },
  { minItems: 1, maxProperties: 2 },
);

/** Says of every schema that other properties are allowed, where it says nothing: of silence the comparison takes its one liberty. */
function spoken(schema: JsonSchema): JsonSchema {
  if (typeof schema !== 'object') return schema;
  const said = Object.entries(schema).map(([keyword, value]) => {
    const place = subschemaPlaces.get(keyword);
    if (place === 'one') return [keyword, spoken(value as JsonSchema)];
    if (place === 'list') return [keyword, (value as JsonSchema[]).map(spoken)];
    if (place !== 'named') return [keyword, value];
    return [keyword, Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, spoken(each)]))];
  });
  return { additionalProperties: true, ...Object.fromEntries(said) };
}

/** Random schemas. */
const schema = fc.letrec<{ any: JsonSchema }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf,
    fc
      .tuple(fc.dictionary(fc.constantFrom('a', 'b'), tie('any'), { maxKeys: 2 }), fc.subarray(['a', 'b']), tie('any'))
      .map(([properties, required, rest]) => ({ properties, required, additionalProperties: rest })),
    fc
      .tuple(tie('any'), tie('any'))
      .map(([a, b]) => ({ patternProperties: { '^a': a, 'a|b': b }, additionalProperties: true })),
    fc.tuple(fc.array(tie('any'), { maxLength: 2 }), tie('any')).map(([prefix, items]) => ({
      ...(prefix.length === 0 ? {} : { prefixItems: prefix }),
      items,
    })),
    fc
      .tuple(fc.constantFrom('allOf', 'anyOf', 'oneOf'), fc.array(tie('any'), { minLength: 1, maxLength: 2 }))
      .map(([keyword, parts]) => ({ [keyword]: parts })),
    tie('any').map((not) => ({ not })),
    fc.tuple(tie('any'), fc.integer({ min: 0, max: 2 })).map(([contains, minContains]) => ({ contains, minContains })),
    fc.tuple(tie('any'), fc.nat(2)).map(([contains, maxContains]) => ({ contains, minContains: 0, maxContains })),
  ),
})).any;

/** A schema and one that differs from it a little. */
const related = fc.tuple(schema, schema, fc.constantFrom('same', 'anyOf', 'allOf', 'other')).map(([a, b, how]) => {
  const after = how === 'same' ? a : how === 'other' ? b : { [how]: [a, b] };
  return [spoken(a), after] as const;
});

test('a multiple of a step is one of each step that the comparison takes for a finer one', () => {
  const step = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: -3, max: 1 }));
  const numberOf = (digits: number, exponent: number) => Number(`${digits}e${exponent}`);
  let shown = 0;
  fc.assert(
    fc.property(step, step, fc.integer({ min: -99_999, max: 99_999 }), (a, b, times) => {
      const [before, after] = [{ multipleOf: numberOf(...a) }, { multipleOf: numberOf(...b) }];
      const value = numberOf(a[0] * times, a[1]);
      expect(compileSchema(before, '')(value).kind).toBe('valid');
      if (compatibilityProblems(before, after).length > 0) return;
      shown++;
      expect(compileSchema(after, '')(value).kind).toBe('valid');
    }),
    { numRuns: 300 },
  );
  expect(shown).toBeGreaterThan(10);
});

test('what is found compatible accepts every value that was accepted', () => {
  let shown = 0;
  fc.assert(
    fc.property(related, fc.array(value, { minLength: 5, maxLength: 20 }), ([before, after], values) => {
      if (!readSchema(before).ok || !readSchema(after).ok || compatibilityProblems(before, after).length > 0) return;
      shown++;
      const [older, newer] = [compileSchema(before, ''), compileSchema(after, '')];
      for (const each of values) if (older(each).kind === 'valid') expect(newer(each).kind).toBe('valid');
    }),
    { numRuns: 600 },
  );
  expect(shown).toBeGreaterThan(100);
});
