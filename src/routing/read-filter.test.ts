import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExactly } from './exact-number.ts';
import { explainMatch } from './explain-match.ts';
import { filterBounds } from './filter-bounds.ts';
import { readFilter } from './read-filter.ts';

function faultsOf(filter: unknown) {
  const reading = readFilter(filter);
  return reading.ok ? [] : reading.faults.map(({ path, message }) => `${path}: ${message}`);
}

const condition = (value: unknown) => faultsOf({ a: [value] });

test.each([
  [null, ': expected an object of field names'],
  ['x', ': expected an object of field names'],
  [[], ': expected an object of field names'],
  [{}, ': expected at least one field'],
  [{ a: {} }, 'a: expected at least one field'],
  [{ a: [] }, 'a: expected at least one value'],
  [{ a: 'x' }, 'a: expected an array of values, such as "a": ["x"], or an object of field names'],
  [{ a: 1 }, 'a: expected an array'],
  [{ a: null }, 'a: expected an array'],
  [{ a: { prefix: 'x' } }, 'a.prefix: expected an array of values, such as "a": [{"prefix": "x"}]'],
  [{ a: { b: ['x', ['y']] } }, 'a.b.1: expected a string, a number, true, false, null or one of the operators'],
  [{ a: ['x'], b: [{}] }, 'b.0: expected one operator'],
])('the filter %j is refused at the place of the fault: %s', (filter, fault) => {
  expect(faultsOf(filter)).toEqual([expect.stringContaining(fault)]);
});

test.each([
  [{ prefx: 'x' }, 'a.0.prefx: expected an operator: did you mean "prefix"?'],
  [{ Sufix: 'x' }, 'did you mean "suffix"?'],
  [{ wildcards: 'x' }, 'did you mean "wildcard"?'],
  [{ anything_but: 'x' }, 'did you mean "anything-but"?'],
  [{ 'anythign-but': 'x' }, 'did you mean "anything-but"?'],
  [{ equalsIgnoreCase: 'x' }, 'did you mean "equals-ignore-case"?'],
  [{ number: ['=', 1] }, 'did you mean "numeric"?'],
  [{ exist: true }, 'did you mean "exists"?'],
  [{ ['x'.repeat(10_000)]: true }, 'did you mean'],
  [JSON.parse('{"__proto__": "x"}'), 'expected an operator'],
  [{ constructor: 'x' }, 'expected an operator'],
  [{ prefix: 'x', suffix: 'y' }, 'a.0: expected one operator, such as {"prefix": "x"}; found 2'],
  [{ exactly: 33 }, 'a.0.exactly: expected a string'],
  [{ prefix: 3 }, 'a.0.prefix: expected a string'],
  [{ prefix: ['x'] }, 'a.0.prefix: expected a string'],
  [{ prefix: { suffix: 'x' } }, 'a.0.prefix: expected a string, or {"equals-ignore-case"'],
  [{ suffix: { 'equals-ignore-case': 1 } }, 'a.0.suffix: expected a string'],
  [{ suffix: { 'equals-ignore-case': 'x', b: 1 } }, 'a.0.suffix: expected a string'],
  [{ 'equals-ignore-case': ['abc'] }, 'a.0.equals-ignore-case: expected a string'],
  [{ exists: 'yes' }, 'a.0.exists: expected true or false'],
  [{ exists: null }, 'a.0.exists: expected true or false'],
  [{ wildcard: 5 }, 'a.0.wildcard: expected a string'],
  [{ wildcard: 'a**b' }, 'expected no two * in a row'],
  [{ wildcard: 'a\\b' }, 'expected \\ before * or \\ alone'],
  [{ wildcard: 'a\\' }, 'expected \\ before * or \\ alone'],
  [{ wildcard: '*a'.repeat(17) }, 'expected at most 16 times *'],
  [{ 'anything-but': null }, 'a.0.anything-but: expected a string, a number, or a list'],
  [{ 'anything-but': [] }, 'a.0.anything-but: expected a string, a number, or a list'],
  [{ 'anything-but': ['x', 1] }, 'a.0.anything-but: expected a string, a number, or a list'],
  [{ 'anything-but': [true] }, 'a.0.anything-but: expected a string, a number, or a list'],
  [
    { 'anything-but': { prefix: '' } },
    'a.0.anything-but.prefix: expected a string or a list of strings, none of them empty',
  ],
  [{ 'anything-but': { suffix: ['a', ''] } }, 'none of them empty'],
  [{ 'anything-but': { prefix: 27 } }, 'a.0.anything-but.prefix: expected a string'],
  [{ 'anything-but': { wildcard: ['a**'] } }, 'a.0.anything-but.wildcard: expected no two *'],
  [{ 'anything-but': { 'equals-ignore-case': [1] } }, 'a.0.anything-but.equals-ignore-case: expected a string'],
  [
    { 'anything-but': { sufix: 'x' } },
    'a.0.anything-but.sufix: expected one of prefix, suffix, wildcard, equals-ignore-case: did you mean "suffix"?',
  ],
  [{ 'anything-but': { prefix: 'x', suffix: 'y' } }, 'found 2 names'],
  [{ numeric: 5 }, 'a.0.numeric: expected an array'],
  [{ numeric: '> 5' }, 'a.0.numeric: expected an array'],
  [{ numeric: [] }, 'a.0.numeric: expected one or two comparisons'],
  [{ numeric: ['='] }, 'expected one or two comparisons'],
  [{ numeric: ['>', 0, '<'] }, 'expected one or two comparisons'],
  [{ numeric: ['>', 0, '<', 5, '<', 3] }, 'expected one or two comparisons'],
  [{ numeric: ['==', 1] }, 'a.0.numeric.0: expected one of = < <= > >='],
  [{ numeric: ['=', 'x'] }, 'a.0.numeric.1: expected a number'],
  [{ numeric: ['>', true] }, 'a.0.numeric.1: expected a number'],
  [{ numeric: ['<', 1, '>', 0] }, 'a.0.numeric.0: expected > or >= for the lower bound'],
  [{ numeric: ['>', 0, '>', 1] }, 'a.0.numeric.2: expected < or <= for the upper bound'],
  [{ numeric: ['>', 0, '<', '1'] }, 'a.0.numeric.3: expected a number'],
  [{ numeric: ['>', 1, '<', 1] }, 'a.0.numeric: expected a lower bound that is less'],
  [{ numeric: ['>', 30, '<', 1] }, 'a.0.numeric: expected a lower bound that is less'],
  [{ cidr: 'foo' }, 'a.0.cidr: expected a CIDR'],
  [{ cidr: '192.168.0.1/33' }, 'expected a CIDR'],
  [{ cidr: '192.168.0.1/foo' }, 'expected a CIDR'],
  [{ cidr: '10.10.10.10.10/3' }, 'expected a CIDR'],
  [{ cidr: '10.0.0.0/8/8' }, 'expected a CIDR'],
  [{ cidr: '2400:6500:FF00::36FB:1F80/222' }, 'expected a CIDR'],
  [{ cidr: '10.0.0.1' }, 'expected a CIDR'],
  [{ cidr: 8 }, 'expected a CIDR'],
])('the condition %j is refused: %s', (value, fault) => {
  expect(condition(value)).toEqual([expect.stringContaining(fault)]);
});

test.each([
  ['{"a": [9007199254740993]}', 'a.0'],
  ['{"a": [1e400]}', 'a.0'],
  ['{"a": [0.10000000000000001]}', 'a.0'],
  ['{"a": [{"numeric": [">", 1e999]}]}', 'a.0.numeric.1'],
  ['{"a": [{"anything-but": [1, 9007199254740993]}]}', 'a.0.anything-but.1'],
  ['{"a": [{"anything-but": 9007199254740993}]}', 'a.0.anything-but'],
  ['{"a": 9007199254740993}', 'a'],
])('a number that would be another after it was read is refused: %s', (text, path) => {
  const reading = readFilter(parseExactly(text));
  expect(reading).toMatchObject({ ok: false, faults: [{ path, message: expect.stringContaining('expected') }] });
});

test.each([
  [{ $or: [{ a: ['x'] }] }, '$or: expected an array of at least two objects'],
  [{ $or: { a: ['x'] } }, '$or: expected an array of at least two objects'],
  [{ a: { $or: [] } }, 'a.$or: expected an array of at least two objects'],
  [{ $or: [{ a: ['x'] }, 'y'] }, '$or.1: expected an object'],
  [{ $or: [{ a: ['x'] }, {}] }, '$or.1: expected at least one field'],
  [{ $or: [{ numeric: 123 }, { a: ['x'] }] }, '$or.0.numeric: expected a field name: "numeric" is an operator'],
  [{ $or: [{ a: ['x'] }, { b: [{ prefx: 'y' }] }] }, '$or.1.b.0.prefx: expected an operator: did you mean "prefix"?'],
])('the alternatives %j are refused: %s', (filter, fault) => {
  expect(faultsOf(filter)).toEqual([expect.stringContaining(fault)]);
});

const nested = (depth: number): unknown => (depth === 0 ? ['x'] : { a: nested(depth - 1) });
const ors = (count: number, ways: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `f${i}`,
      { $or: Array.from({ length: ways }, (_, j) => ({ [`g${j}`]: ['x'] })) },
    ]),
  );
const alternating = (count: number): unknown =>
  count === 0 ? { z: ['x'] } : { $or: [{ [`a${count}`]: alternating(count - 1) }, { b: ['y'] }] };
const many = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`);

test('what is too deep, too broad or too long is refused, and what is just within is not', () => {
  const { depth, nesting, clauses, fields, values, wildcards, characters } = filterBounds;
  expect(faultsOf(nested(depth))).toEqual([]);
  expect(faultsOf(nested(depth + 1))).toEqual([expect.stringContaining(`at most ${depth} levels`)]);
  for (const levels of [nesting, 5_000])
    expect(faultsOf(nested(levels))).toEqual([expect.stringContaining(`at most ${nesting} levels of JSON`)]);
  expect(faultsOf({ 'a.b': nested(depth - 1) })).toEqual([expect.stringContaining(`at most ${depth} levels`)]);
  expect(faultsOf(alternating(10))).toEqual([]);
  expect(faultsOf(alternating(11))).toEqual([expect.stringContaining(`at most ${nesting} levels of JSON`)]);
  expect(faultsOf(ors(2, 10))).toEqual([]);
  expect(faultsOf(ors(2, 11))).toEqual([`f1.$or: expected $or to multiply to at most ${clauses} alternatives`]);
  expect(faultsOf(ors(30, 2))[0]).toContain(`at most ${clauses} alternatives`);
  expect(faultsOf({ $or: Array.from({ length: 700 }, () => ({ a: ['x'] })) })[0]).toContain(`at most ${clauses}`);
  expect(faultsOf({ $or: Array.from({ length: 10_000 }, () => ({ a: ['x'] })) })).toEqual([
    expect.stringContaining(`at most ${characters} characters`),
  ]);
  expect(faultsOf(Object.fromEntries(many(fields).map((name) => [name, ['x']])))).toEqual([]);
  expect(faultsOf(Object.fromEntries(many(fields + 1).map((name) => [name, ['x']])))).toEqual([
    expect.stringContaining(`at most ${fields} fields`),
  ]);
  expect(faultsOf({ a: many(1_500) })).toEqual([]);
  expect(faultsOf({ a: many(values + 1).map((_, i) => i) })).toEqual([
    expect.stringContaining(`at most ${values} values`),
  ]);
  expect(faultsOf({ a: [{ wildcard: '*x' }], b: many(wildcards).map((wildcard) => ({ wildcard })) })).toEqual([
    expect.stringContaining(`at most ${wildcards} wildcards`),
  ]);
  expect(faultsOf({ a: [{ 'anything-but': { wildcard: many(wildcards + 1) } }] })).toEqual([
    expect.stringContaining(`at most ${wildcards} wildcards`),
  ]);
  expect(faultsOf({ a: [{ 'anything-but': many(values + 1).map((_, i) => i) }] })).toEqual([
    expect.stringContaining(`at most ${values} values`),
  ]);
  expect(faultsOf({ a: ['x'.repeat(characters - JSON.stringify({ a: [''] }).length)] })).toEqual([]);
  expect(faultsOf({ a: ['x'.repeat(characters)] })).toEqual([
    expect.stringContaining(`at most ${characters} characters`),
  ]);
});

test('faults are told all at once, but not without end', () => {
  expect(faultsOf({ a: [], b: 'x', c: [{ y: 1 }] })).toHaveLength(3);
  expect(faultsOf(Object.fromEntries(many(500).map((name) => [name, []])))).toHaveLength(20);
});

test('names of JavaScript are names like any other, and change nothing that is not theirs', () => {
  const filter = JSON.parse('{"__proto__": {"polluted": ["x"]}, "constructor": {"prototype": {"polluted": ["y"]}}}');
  const reading = readFilter(filter);
  expect(reading).toMatchObject({
    ok: true,
    clauses: [[{ path: '__proto__.polluted' }, { path: 'constructor.prototype.polluted' }]],
  });
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test('an explanation names each field that failed, what was expected there and what was found', () => {
  const explain = (filter: unknown, event: string) => {
    const reading = readFilter(filter);
    return explainMatch(reading.ok ? reading.clauses : [], parseExactly(event));
  };
  const filter = {
    type: ['a', { prefix: 'b' }],
    data: { n: [{ numeric: ['>', 1, '<=', 5] }], gone: [{ exists: false }] },
  };
  expect(explain(filter, '{"type":"c","data":{"n":[9007199254740993,"x"],"gone":null}}')).toEqual([
    { path: 'type', expected: '"a" or text that begins with "b"', found: ['"c"'] },
    { path: 'data.n', expected: 'a number > 1 and <= 5', found: ['9007199254740993', '"x"'] },
    { path: 'data.gone', expected: 'no value', found: ['null'] },
  ]);
  expect(explain({ $or: [{ a: ['x'], b: ['x'] }, { c: [{ 'anything-but': ['y', 'z'] }] }] }, '{"c":"y"}')).toEqual([
    { path: 'c', expected: 'a value that is not "y" or "z"', found: ['"y"'] },
  ]);
  expect(
    explain({ e: { f: ['Anna'], l: ['Jones'] } }, '{"e":[{"f":"Anna","l":"Smith"},{"f":"Peter","l":"Jones"}]}'),
  ).toEqual([
    {
      path: 'e.f',
      expected: '"Anna", in the same element of the array as the other fields',
      found: ['"Anna"', '"Peter"'],
    },
    {
      path: 'e.l',
      expected: '"Jones", in the same element of the array as the other fields',
      found: ['"Smith"', '"Jones"'],
    },
  ]);
  expect(explain(filter, '{"type":"bb","data":{"n":2}}')).toEqual([]);
});

test.each([
  ['values', { a: Array(130_000).fill(0) }],
  ['alternatives', { $or: Array(130_000).fill(0) }],
  ['excluded values', { a: [{ 'anything-but': Array(130_000).fill(0) }] }],
])('a filter of as many %s as fit in a body is refused for its length', (_what, filter) => {
  expect(readFilter(filter)).toEqual({
    ok: false,
    faults: [{ path: '', message: 'expected at most 16384 characters of JSON' }],
  });
});

/** How many fields are written into clauses while a filter is read. */
function fieldsWritten(filter: unknown): number {
  const { set } = Map.prototype;
  let written = 0;
  Map.prototype.set = function counted(key, value) {
    written++;
    return set.call(this, key, value);
  };
  try {
    readFilter(filter);
  } finally {
    Map.prototype.set = set;
  }
  return written;
}

const ways = (count: number, alternative: unknown = { a: [1] }) => Array.from({ length: count }, () => alternative);
const fieldsOf = (count: number) => Object.fromEntries(many(count).map((name) => [name, [1]]));
const tooManyFields = `: expected at most ${filterBounds.fields} fields`;
const tooManyWays = `: expected $or to multiply to at most ${filterBounds.clauses} alternatives`;

test.each([
  ['fields beside as many alternatives as may be', { $or: ways(100), ...fieldsOf(60) }, [tooManyFields]],
  ['fields, and then alternatives', { ...fieldsOf(60), $or: ways(100) }, [tooManyFields]],
  ['fields in every alternative', { $or: ways(40, fieldsOf(35)) }, [tooManyFields]],
  ['alternatives in alternatives', { $or: ways(8, { $or: ways(100) }), ...fieldsOf(25) }, [tooManyWays]],
  ['alternatives three deep', { $or: ways(5, { $or: ways(5, { $or: ways(50) }) }), ...fieldsOf(25) }, [tooManyWays]],
])('a filter with too many %s is not multiplied out any further', (_what, filter, faults) => {
  expect(fieldsWritten(filter)).toBeLessThan(10_000);
  expect(faultsOf(filter)).toEqual(faults);
});

test('what is read after there is too much is read for its faults', () => {
  const filter = { ...fieldsOf(31), $or: [{ b: [1] }, { c: [{ prefx: 'x' }] }] };
  expect(faultsOf(filter)).toEqual([expect.stringContaining('$or.1.c.0.prefx')]);
});

/** Paths of each clause, multiplied out the plain way. */
function clausesOf(filter: object, prefix = ''): readonly (readonly string[])[] {
  return Object.entries(filter).reduce<readonly (readonly string[])[]>(
    (clauses, [name, value]) => {
      const path = `${prefix}${name}`;
      const added =
        name === '$or'
          ? (value as readonly object[]).flatMap((alternative) => clausesOf(alternative, prefix))
          : Array.isArray(value)
            ? [[`${path}=${value}`]]
            : clausesOf(value, `${path}.`);
      return added.flatMap((more) => clauses.map((clause) => [...clause, ...more]));
    },
    [[]],
  );
}

test('$or is multiplied out as by hand, and no alternative has the fields of another', () => {
  const { filter } = fc.letrec<{ filter: object; inner: object }>((tie) => ({
    filter: fc
      .dictionary(fc.constantFrom('a', 'b', 'c', '$or'), fc.constant(null), { minKeys: 1, maxKeys: 2 })
      .chain((names) =>
        fc.record(
          Object.fromEntries(
            Object.keys(names).map((name) => [
              name,
              name === '$or' ? fc.array(tie('inner'), { minLength: 2, maxLength: 3 }) : tie('inner'),
            ]),
          ),
        ),
      ),
    inner: fc.oneof(
      { maxDepth: 1 },
      fc.record({ x: fc.tuple(fc.nat(9)) }),
      fc.record({ y: fc.tuple(fc.nat(9)) }),
      tie('filter'),
    ),
  }));
  let multiplied = 0;
  fc.assert(
    fc.property(filter, (one) => {
      const wanted = clausesOf(one).map(
        (clause) => new Map(clause.map((field) => field.split('=') as [string, string])),
      );
      const reading = readFilter(one);
      if (!reading.ok) {
        expect(wanted.length > filterBounds.clauses || wanted.some(({ size }) => size > filterBounds.fields)).toBe(
          true,
        );
        return;
      }
      if (wanted.length > 1) multiplied++;
      const found = reading.clauses.map((clause) =>
        clause.map(({ path, anyOf: [only] }) => `${path}=${only?.kind === 'number' ? only.value : '?'}`).sort(),
      );
      const plain = wanted.map((clause) => [...clause].map(([path, value]) => `${path}=${value}`).sort());
      expect(found.map(String).sort()).toEqual(plain.map(String).sort());
    }),
    { numRuns: 300 },
  );
  expect(multiplied).toBeGreaterThan(50);
});
