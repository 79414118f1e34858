import { expect, test, vi } from 'vitest';
import { FUEL } from './check-budget.ts';
import { compileSchema } from './compile-schema.ts';
import type { JsonSchema } from './json-schema.ts';
import { readSchema } from './read-schema.ts';

const values = (count: number) => Array.from({ length: count }, (_, i) => i);

/** How a check ends, and what it costs. */
function check(schema: JsonSchema, value: unknown, left = FUEL) {
  expect(readSchema(schema)).toMatchObject({ ok: true });
  const validate = compileSchema(schema, 'data');
  validate.prepare();
  const fuel = { left };
  const { kind } = validate(value, fuel);
  return { kind, cost: left - fuel.left };
}

/** The first 62 schemas fit no number. */
const alternatives = (of: (i: number) => JsonSchema) => ({
  items: { anyOf: [...values(62).map(of), { type: 'number' }] },
});

test('values times alternatives cost what they take also where a schema has no patterns, before they are looked at (G4)', () => {
  const schema = { items: { anyOf: values(30).map(() => ({ type: 'boolean' })) } };
  expect(check(schema, values(9_000))).toEqual({ kind: 'invalid', cost: 2 * 31 * 9_001 });
  const unread = new Proxy([], { get: (_, name) => expect.fail(`${String(name)} was read`) });
  expect(check(schema, [unread], 100)).toEqual({ kind: 'too_costly', cost: 100 });
  expect(check({ type: 'object', properties: { a: true } }, { a: 1, b: 2 }).cost).toBeLessThan(20);
});

test.each([
  ['of large numbers', (i: number) => 3.1e300 + i * 1e298, (i: number) => 1.2345678901234567e307 + i * 1e295],
  ['of decimals', (i: number) => 0.07 + i / 1_000, (i: number) => i + 0.001],
] as const)('each number is told to be a multiple at its cost: %s', (_, step, number) => {
  const schema = alternatives((i) => ({ multipleOf: step(i) }));
  expect(check(schema, values(1_000).map(number)).cost).toBeGreaterThan(1_000 * 62 * 16);
  expect(check(schema, values(4_600).map(number)).cost).toBeGreaterThan(4_500_000);
  const whole = alternatives((i) => ({ multipleOf: 1_000_003 + i }));
  expect(check(whole, values(4_600)).cost).toBe(2 * 64 * 4_601);
});

test('the members of an object of an event are listed once, however many values of an enum it is compared with', () => {
  const allowed = values(500).map((i) => ({ [`a${i}`]: i }));
  const large = Object.fromEntries(values(9_000).map((i) => [`a${i}`, i]));
  const list = vi.spyOn(Object, 'keys');
  for (const [schema, value] of [
    [{ enum: allowed }, large],
    [{ enum: allowed.map((a) => ({ a })) }, { a: large }],
  ] as const) {
    const validate = compileSchema(schema, 'data');
    validate.prepare();
    list.mockClear();
    expect(validate(value, { left: FUEL }).kind).toBe('invalid');
    expect(list.mock.calls.filter(([listed]) => listed === large)).toHaveLength(1);
  }
  list.mockRestore();
  expect(check({ enum: allowed }, large).cost).toBeGreaterThan(9_000 * 12);
});

test('items that are compared, and texts whose format is told, cost what that takes', () => {
  const nested = (depth: number): JsonSchema => (depth === 0 ? true : { uniqueItems: true, items: nested(depth - 1) });
  const within = (depth: number): unknown => (depth === 0 ? values(70_000) : [within(depth - 1)]);
  expect(check(nested(20), within(19)).kind).toBe('too_costly');
  expect(check(nested(1), values(100)).cost).toBeLessThan(2_000);
  const formats = { items: { anyOf: [...values(60).map(() => ({ format: 'ipv6' })), { type: 'string' }] } };
  expect(check(formats, Array(4_600).fill('1:2:3:4:5:6:7:8:9')).kind).toBe('too_costly');
  expect(check({ properties: { a: { format: 'date-time' } } }, { a: '2020-02-28T10:00:00Z' }).cost).toBeLessThan(50);
});
