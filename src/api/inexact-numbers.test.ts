import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { refuseInexactNumbers } from './inexact-numbers.ts';

test('of very many numbers that no double holds the first hundred are told', () => {
  let thrown: unknown;
  try {
    refuseInexactNumbers(`[${Array(5_000).fill('9007199254740993').join()}]`);
  } catch (error) {
    thrown = error;
  }
  const faults = thrown instanceof Refusal ? thrown.faults : [];
  expect(faults).toHaveLength(100);
  expect(faults[0]!.path).toBe('0');
});
