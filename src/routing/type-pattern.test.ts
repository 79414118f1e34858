import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENT_TYPE, isReservedType, matchesType, typePatternProblem } from './type-pattern.ts';

test.each([
  ['payment.created', 'payment.created', true],
  ['payment.created', 'payment.created.late', false],
  ['payment.*', 'payment.created', true],
  ['payment.*', 'payment', false],
  ['payment.*', 'payment.created.late', false],
  ['payment.**', 'payment.created.late', true],
  ['payment.**', 'payment', true],
  ['**', 'anything.at.all', true],
  ['*', 'one', true],
  ['*', 'one.two', false],
  ['*.created', 'payment.created', true],
  ['**.late', 'payment.created.late', true],
  ['a.**.z', 'a.z', true],
  ['a.**.z', 'a.b.c.z', true],
  ['a.**.z', 'a.b.c', false],
  ['**', 'system.endpoint.disabled', false],
  ['*.endpoint.*', 'system.endpoint.disabled', false],
  ['system.**', 'system.endpoint.disabled', true],
  ['system.*.disabled', 'system.endpoint.disabled', true],
  ['**', 'systematic', true],
])('%s on %s: %s', (pattern, type, expected) => {
  expect(matchesType(pattern, type)).toBe(expected);
});

const segment = fc.constantFrom('a', 'b', 'c');
const type = fc.array(segment, { minLength: 1, maxLength: 6 });
const pattern = fc.array(fc.oneof(segment, fc.constant('*'), fc.constant('**')), { minLength: 1, maxLength: 5 });

test('a pattern matches what the regular expression with the same meaning matches', () => {
  fc.assert(
    fc.property(pattern, type, (wanted, given) => {
      const source = wanted
        .map((part) => (part === '**' ? '(?:\\.[a-z]+)*' : part === '*' ? '\\.[a-z]+' : `\\.${part}`))
        .join('');
      expect(matchesType(wanted.join('.'), given.join('.'))).toBe(
        new RegExp(`^${source}$`).test(`.${given.join('.')}`),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('a hostile pattern costs no more than its length times that of the type', () => {
  const wanted = Array.from({ length: 32 }, () => '**.a').join('.');
  expect(matchesType(`${wanted}.b`, Array.from({ length: 64 }, () => 'a').join('.'))).toBe(false);
});

test('patterns that mean nothing are refused with a reason', () => {
  for (const good of ['a', 'a.b-c.d_e', '*', '**', 'a.*.b.**', '**.**.**.**'])
    expect(typePatternProblem(good)).toBeNull();
  for (const bad of ['', '.', 'a.', '.a', 'a..b', 'a*', '***', 'a b', 'é', 'x'.repeat(129), '**.**.**.**.**']) {
    expect(typePatternProblem(bad)).toEqual(expect.any(String));
  }
});

test('every type is a pattern that matches it and nothing shorter or longer', () => {
  fc.assert(
    fc.property(type, (given) => {
      const text = given.join('.');
      expect(EVENT_TYPE.test(text) && typePatternProblem(text) === null && matchesType(text, text)).toBe(true);
      expect(matchesType(text, `${text}.a`)).toBe(false);
    }),
  );
});

test('only system and what is below it is kept for Posthorn', () => {
  expect(['system', 'system.a', 'systematic', 'a.system', 'System'].map(isReservedType)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
