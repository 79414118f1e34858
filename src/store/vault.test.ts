import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnsealError, Vault } from './vault.ts';

const [OLD, NEW] = [1, 2].map((fill) => Buffer.alloc(32, fill).toString('base64')) as [string, string];
const PLACE = 'endpoint-secret:ep_1:sec_1';

test('what is sealed opens at its place, whatever text it is, and never looks the same twice', () => {
  const vault = new Vault([NEW]);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const [once, twice] = [vault.seal(text, PLACE), vault.seal(text, PLACE)];
      expect(vault.open(once, PLACE)).toBe(text);
      expect(once.equals(twice)).toBe(false);
    }),
  );
});

test('a value that was moved to another row does not open there', () => {
  const vault = new Vault([NEW]);
  expect(() => vault.open(vault.seal('secret', PLACE), 'endpoint-secret:ep_2:sec_1')).toThrow(UnsealError);
});

test('a value that was altered in any byte, or cut, does not open, and the error says nothing of its content', () => {
  const vault = new Vault([NEW]);
  const sealed = vault.seal('the secret text', PLACE);
  for (let i = 0; i < sealed.length; i++) {
    const altered = Buffer.from(sealed);
    altered[i]! ^= 1;
    expect(() => vault.open(altered, PLACE)).toThrow(UnsealError);
    expect(() => vault.open(sealed.subarray(0, i), PLACE)).toThrow(UnsealError);
  }
  expect(() => vault.open(sealed, 'other')).not.toThrow(/the secret text/);
});

test('after a rotation old values still open, new ones are sealed with the new key, and each tells which it has', () => {
  const before = new Vault([OLD]).seal('a', PLACE);
  const rotated = new Vault([NEW, OLD]);
  expect(rotated.open(before, PLACE)).toBe('a');
  expect(rotated.isCurrent(before)).toBe(false);
  const after = rotated.seal('b', PLACE);
  expect(rotated.isCurrent(after)).toBe(true);
  expect(new Vault([NEW]).open(after, PLACE)).toBe('b');
  expect(() => new Vault([NEW]).open(before, PLACE)).toThrow(/not in MASTER_KEY/);
});

test('a vault without a key is refused', () => {
  expect(() => new Vault([])).toThrow();
});
