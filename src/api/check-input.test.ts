import { expect, test } from 'vitest';
import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { checkInput } from './check-input.ts';
import { versionPins } from './version-pins.ts';

function faultsOf(schema: z.ZodType, value: unknown) {
  try {
    checkInput(schema, value, 'body');
    return [];
  } catch (error) {
    return error instanceof Refusal ? error.faults : [];
  }
}

test.each([
  ['unknown fields', z.strictObject({}), 'unknown field'],
  ['values that are none', z.record(z.string(), z.string('expected text')), 'expected text'],
])('of very many faults the first hundred are told: %s', (_, schema, message) => {
  const value = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, i]));
  const expected = Array.from({ length: 100 }, (_, i) => ({ path: `f${i}`, message }));
  expect(faultsOf(schema, value)).toEqual(expected);
});

test('of very many pins the first faults are told', () => {
  const pins = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`bad pattern ${i}`, '1']));
  const faults = faultsOf(versionPins, pins);
  expect(faults).toHaveLength(100);
  expect(faults[0]).toEqual({ path: '', message: 'expected at most 50 patterns' });
});
