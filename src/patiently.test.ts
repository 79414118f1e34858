import { expect, test } from 'vitest';
import { patiently } from './patiently.ts';

test('what fails at first is done again until it works', async () => {
  let tries = 0;
  await patiently(async () => {
    tries++;
    if (tries < 3) throw new Error('timeout expired');
  });
  expect(tries).toBe(3);
});

test('what goes on failing is told in the end, as the last try said it', async () => {
  let tries = 0;
  const failing = patiently(async () => {
    tries++;
    throw new Error(`try ${tries}`);
  }, 300);
  await expect(failing).rejects.toThrow(/^try [2-9]$/);
});
