import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { generateSecret } from '../signing/generate-secret.ts';
import { secretFor } from './endpoint-input.ts';

function refusal(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('was not refused');
}

test.each(['v1', 'v1a'] as const)('%s takes a secret of its own kind and makes one when none is given', (scheme) => {
  const own = generateSecret(scheme);
  expect(secretFor(scheme, own)).toBe(own);
  expect(secretFor(scheme, undefined)).not.toBe(secretFor(scheme, undefined));
  expect(secretFor(scheme, secretFor(scheme, undefined))).toMatch(scheme === 'v1' ? /^whsec_/ : /^whsk_/);
});

test('a secret of the other scheme is refused, without a part of it', () => {
  const own = generateSecret('v1a');
  const { status, faults } = refusal(() => secretFor('v1', own));
  expect([status, faults.map((fault) => fault.path)]).toEqual([422, ['secret']]);
  expect(JSON.stringify(faults)).not.toContain(own.slice(5, 15));
});

test('a secret that signs already is refused', () => {
  const own = generateSecret('v1');
  expect(refusal(() => secretFor('v1', own, [generateSecret('v1'), own])).faults).toMatchObject([{ path: 'secret' }]);
});
