import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Cast } from './cast.ts';
import { CastBook, castAlong } from './cast-book.ts';
import { CastCost, type CastPlan, CastTooLarge, castData, castPlan, MAX_GROWTH, MAX_VISITS } from './cast-data.ts';
import { castEvent, eventMembers, headOf } from './cast-event.ts';
import { castFaults } from './read-cast.ts';

const none = { from: '1.0', renames: {}, defaults: {}, removes: [], restores: {} };
const castOf = (cast: Partial<Cast>): Cast => ({ ...none, ...cast });

const cases: readonly (readonly [string, Partial<Cast>, string, string])[] = [
  ['nothing is said', {}, '{"a":1.10,"b":[-0,9007199254740993]}', '{"a":1.10,"b":[-0,9007199254740993]}'],
  ['a name changes', { renames: { a: 'b' } }, '{"x":0,"a":1.10}', '{"x":0,"b":1.10}'],
  ['two names change places', { renames: { a: 'b', b: 'a' } }, '{"a":1,"b":2}', '{"b":1,"a":2}'],
  [
    'a value moves inwards',
    { renames: { customer_id: 'customer.id' } },
    '{"customer_id":"c"}',
    '{"customer":{"id":"c"}}',
  ],
  [
    'two values move inwards',
    { renames: { cid: 'c.id', cname: 'c.name' } },
    '{"cid":1,"cname":"n"}',
    '{"c":{"id":1,"name":"n"}}',
  ],
  [
    'a field is new',
    { defaults: { 'p.currency': 'EUR' } },
    '{"p":{"amount":1E2}}',
    '{"p":{"amount":1E2,"currency":"EUR"}}',
  ],
  ['a field is gone and comes back', { restores: { legacy: true } }, '{"a":1,"legacy":true}', '{"a":1}'],
  [
    'an item field changes',
    { renames: { 'items.[].sku': 'items.[].id' } },
    '{"items":[{"sku":1.0},{"sku":2}]}',
    '{"items":[{"id":1.0},{"id":2}]}',
  ],
  [
    'an item field moves inwards',
    { renames: { 'i.[].sku': 'i.[].product.sku' } },
    '{"i":[{"sku":1}]}',
    '{"i":[{"product":{"sku":1}}]}',
  ],
  ['names that play tricks', { renames: { constructor: 'toString' } }, '{"constructor":1}', '{"toString":1}'],
];

test.each(cases)('%s: up, and down again', (_, cast, older, newer) => {
  expect(castFaults(castOf(cast))).toEqual([]);
  expect(castData(older, [castPlan(castOf(cast), 'up')])).toBe(newer);
  expect(castData(newer, [castPlan(castOf(cast), 'down')])).toBe(older);
});

test.each([
  ['what is not there is not moved', { renames: { a: 'b' } }, '{"c":1}', '{"c":1}'],
  ['a default does not replace', { defaults: { a: 1 } }, '{"a":2}', '{"a":2}'],
  ['a moved value does not replace', { renames: { a: 'b' } }, '{"a":1,"b":2}', '{"b":2}'],
  ['what stands in the way stays', { renames: { a: 'b.c' } }, '{"a":1,"b":"text"}', '{"b":"text"}'],
  ['data that is no object', { renames: { a: 'b' }, defaults: { c: 1 } }, '"a"', '"a"'],
  ['of a name that comes twice the last counts', { renames: { a: 'b' } }, '{"a":1,"a":2}', '{"b":2}'],
  ['an emptied object goes', { removes: ['a.b.c'] }, '{"a":{"b":{"c":1}},"d":1}', '{"d":1}'],
  ['an object that was empty stays', { removes: ['a.b'] }, '{"a":{}}', '{"a":{}}'],
  [
    'strings with brackets and escapes',
    { renames: { a: 'b' } },
    '{"x":"}]\\"{","a":"\\\\"}',
    '{"x":"}]\\"{","b":"\\\\"}',
  ],
  ['an array where an object is expected', { renames: { 'a.b': 'c' } }, '{"a":[{"b":1}]}', '{"a":[{"b":1}]}'],
] as const)('up: %s', (_, cast, older, newer) => {
  expect(castData(older, [castPlan(castOf(cast as Partial<Cast>), 'up')])).toBe(newer);
});

test('what a cast does not name stays to the letter, and the same data always gives the same text', () => {
  const plan = castPlan(castOf({ renames: { moved: 'to.there' }, defaults: { added: [1] }, removes: ['gone'] }), 'up');
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (rest, moved) => {
      const { moved: _, gone: __, added: ___, to: ____, ...others } = rest as Record<string, unknown>;
      const text = JSON.stringify({ ...others, gone: 1, moved });
      const cast = castData(text, [plan]);
      expect(cast).toBe(castData(text, [plan]));
      expect(JSON.parse(cast)).toEqual(JSON.parse(JSON.stringify({ ...others, to: { there: moved }, added: [1] })));
    }),
  );
});

test.each([
  [{ renames: { a: 'b', c: 'b' } }, 'casts.renames.c'],
  [{ renames: { a: 'b' }, removes: ['a'] }, 'casts.removes.a'],
  [{ renames: { a: 'b' }, defaults: { 'b.c': 1 } }, 'casts.defaults.b.c'],
  [{ removes: ['a.b', 'a'] }, 'casts.removes.a'],
  [{ removes: ['a'], restores: { a: 1 } }, 'casts.restores.a'],
  [{ renames: { a: 'b.[].c' } }, 'casts.renames.a'],
  [{ renames: { 'a.[].b': 'c' } }, 'casts.renames.a.[].b'],
  [{ renames: { 'a.[].b': 'c.[].b' } }, 'casts.renames.a.[].b'],
  [{ defaults: { 'a..b': 1 } }, 'casts.defaults.a..b'],
  [{ defaults: { 'a.__proto__.b': 1 } }, 'casts.defaults.a.__proto__.b'],
  [{ removes: ['a.[]'] }, 'casts.removes.a.[]'],
] as const)('a cast whose result would hang on its order or leave its item is refused: %j', (cast, path) => {
  expect(castFaults(castOf(cast as Partial<Cast>))[0]?.path).toBe(path);
});

const version = (major: number, minor: number, cast: Cast | null = null) => ({
  type: 'pay.x',
  major,
  minor,
  patch: 0,
  cast,
});
const book = new CastBook([
  version(3, 0, castOf({ from: '2.1', renames: { b: 'c' } })),
  version(1, 0),
  version(1, 1),
  version(2, 0, castOf({ from: '1.1', renames: { a: 'b' } })),
  version(2, 1, castOf({ from: '1.1', renames: { a: 'b' }, inherited: true })),
  version(4, 0),
]);
const pin = (major: number) => [{ pattern: 'pay.*', major }];

function castBy(pins: ReturnType<typeof pin>, body: Uint8Array): Uint8Array {
  const members = eventMembers(body);
  const { type, version } = headOf(members);
  const route = book.routeTo(pins, type, version);
  return route === null ? body : castEvent(members, route, new CastCost());
}

test.each([
  [2, '1.0', '2.0', '{"b":1}', '{"a":1}'],
  [3, '1.1', '3.0', '{"c":1}', '{"a":1}'],
  [1, '3.0', '1.1', '{"a":1}', '{"c":1}'],
  [1, '2.1', '1.1', '{"a":1}', '{"b":1}'],
] as const)(
  'an endpoint that pins %s gets an event of %s as one of %s, step by step',
  (major, from, to, cast, data) => {
    const body = Buffer.from(`{"id":"e","type":"pay.x","version":"${from}","data":${data},"metadata":{"n":1.0}}`);
    expect(Buffer.from(castBy(pin(major), body)).toString()).toBe(
      `{"id":"e","type":"pay.x","version":"${to}","data":${cast},"metadata":{"n":1.0}}`,
    );
  },
);

test.each([
  ['its own major', 2, 'pay.x', '2.0'],
  ['no casts on the way', 4, 'pay.x', '1.0'],
  ['no casts back', 1, 'pay.x', '4.0'],
  ['a version that is not registered', 1, 'pay.x', '2.7'],
  ['a major that is not there', 9, 'pay.x', '1.0'],
  ['a type that no pin matches', 1, 'sub.x', '2.0'],
] as const)('an event stays as it is, byte for byte: %s', (_, major, type, from) => {
  const body = Buffer.from(`{"id":"e","type":"${type}","version":"${from}","data":{"b":1}}`);
  expect(castBy(pin(major), body)).toBe(body);
});

test('a cast that passes over a major leads neither there nor from there', () => {
  const passing = new CastBook([version(1, 0), version(2, 0), version(3, 0, castOf({ renames: { a: 'c' } }))]);
  const leadsTo = (major: number, from: string) => passing.routeTo(pin(major), 'pay.x', from)?.version;
  expect([leadsTo(3, '1.0'), leadsTo(1, '3.0')]).toEqual(['3.0', '1.0']);
  expect([leadsTo(2, '1.0'), leadsTo(2, '3.0'), leadsTo(3, '2.0')]).toEqual([undefined, undefined, undefined]);
});

test('of the versions that producers make up no more is remembered than may be', () => {
  const many = new CastBook([version(1, 0)]);
  const clear = vi.spyOn(Map.prototype, 'clear');
  for (let i = 0; i < 10_000; i++) many.routeTo(pin(2), 'pay.x', `1.${i}`);
  expect(clear).not.toHaveBeenCalled();
  many.routeTo(pin(2), 'pay.x', '1.10000');
  expect(clear).toHaveBeenCalledOnce();
  clear.mockRestore();
});

test('the first pin that matches counts', () => {
  const pins = [...pin(1), { pattern: '**', major: 2 }];
  expect(book.routeTo(pins, 'pay.x', '3.0')?.version).toBe('1.1');
  expect(book.routeTo([...pins].reverse(), 'pay.x', '3.0')?.version).toBe('2.1');
});

test.each([
  ['what is filled into each item', { defaults: { 'i.[].pad': 'x'.repeat(1_000) } }, 300],
  ['names that are made longer', { renames: { 'i.[].a': `i.[].${'b'.repeat(1_000)}` } }, 300],
  ['objects on the way to what is filled in', { defaults: { [`i.[].${'c'.repeat(1_000)}.d`]: 1 } }, 300],
] as const)('a cast makes no event longer than may be: %s', (_, cast, items) => {
  const data = JSON.stringify({ i: Array.from({ length: items }, () => ({ a: 1 })) });
  const plan = castPlan(castOf(cast as Partial<Cast>), 'up');
  expect(items * 1_000).toBeGreaterThan(MAX_GROWTH);
  expect(() => castData(data, [plan])).toThrow(CastTooLarge);
  expect(castData('{"i":[{"a":1}]}', [plan]).length).toBeGreaterThan(1_000);
});

test('names of many items may change, however many they are, where they get no longer', () => {
  const data = JSON.stringify({ i: Array.from({ length: 90_000 }, () => ({ sku: 1 })) });
  const made = castData(data, [castPlan(castOf({ renames: { 'i.[].sku': 'i.[].nr' } }), 'up')]);
  expect(made.length).toBe(data.length - 90_000);
});

test('what the casts of several majors add is added up', () => {
  const step = MAX_GROWTH / 4;
  const plan = (name: string) => castPlan(castOf({ defaults: { [name]: 'x'.repeat(step) } }), 'up');
  const along = (names: string) => castAlong('{}', { version: '9.0', plans: [...names].map(plan) });
  expect(along('abc').length).toBeGreaterThan(3 * step);
  expect(() => along('abcd')).toThrow(CastTooLarge);
});

const paths = (count: number) => Array.from({ length: count }, (_, i) => `i.[].x${i}`);
const dropping = (count: number) => castPlan(castOf({ removes: paths(count) }), 'up');
const emptyItems = (count: number) => `{"i":[${Array(count).fill('{}').join()}]}`;

test('casts do not look at hundreds of thousands of places in an event, over all majors; what is below the bound is cast', () => {
  const [few, many] = [emptyItems(2_000), emptyItems(20_000)];
  const along = (data: string, majors: number) =>
    castAlong(data, { version: '9.0', plans: Array(majors).fill(dropping(10)) });
  expect(castData(few, [dropping(100)])).toBe(few);
  expect(() => castData(many, [dropping(100)])).toThrow(CastTooLarge);
  expect(along(few, 10)).toBe(few);
  expect(() => along(few, 20)).toThrow(`at more than ${MAX_VISITS} places in the data of an event`);
});

test.each([
  ['moves', { renames: Object.fromEntries(paths(50).map((path) => [path, `${path}y`])) }],
  ['defaults', { defaults: Object.fromEntries(paths(50).map((path) => [path, 1])) }],
] as const)('the places of %s count too', (_, cast) => {
  const items = `{"i":[${Array(30_000).fill(1).join()}]}`;
  const plan = castPlan(castOf(cast as Partial<Cast>), 'up');
  expect(() => castData(items, [plan])).toThrow(CastTooLarge);
});

test('names that are looked for among many others count as more than one place', () => {
  const members = (count: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1])));
  const plan = castPlan(castOf({ removes: Array.from({ length: 100 }, (_, i) => `x${i}`) }), 'up');
  expect(castData(members(1_000), [plan])).toBe(members(1_000));
  expect(() => castData(members(40_000), Array<CastPlan>(5).fill(plan))).toThrow(CastTooLarge);
});

test('a name is taken out of an object with more members than a call takes arguments', () => {
  const others = Array.from({ length: 200_000 }, (_, i) => `"k${i}":1`).join();
  expect(castData(`{"a":1,${others},"a":2}`, [castPlan(castOf({ renames: { a: 'b' } }), 'up')])).toBe(
    `{${others},"b":2}`,
  );
});

test('all paths into an array are followed in one walk of its items, and do what they did one by one', () => {
  const data = '{"i":[{"a":1,"b":2,"j":[{"c":3}]},7,{"b":4,"j":{}}],"d":5}';
  const cast = castOf({
    renames: { 'i.[].a': 'i.[].n.a', 'i.[].b': 'i.[].a', 'i.[].j.[].c': 'i.[].j.[].e' },
    defaults: { 'i.[].n.z': 0, f: 6 },
    removes: ['d'],
  });
  const made = castData(data, [castPlan(cast, 'up')]);
  expect(made).toBe('{"i":[{"j":[{"e":3}],"n":{"a":1,"z":0},"a":2},7,{"j":{},"a":4,"n":{"z":0}}],"f":6}');
});
