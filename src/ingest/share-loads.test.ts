import { expect, test } from 'vitest';
import { shareLoads } from './share-loads.ts';

const LIMITS = { most: 10, mostWaiting: 100, patienceMs: 60_000 };

test('G4: tenants that are asked for together are read in one statement, and one that has much is read by itself, with what is known of it, and keeps no other waiting', async () => {
  const statements: (readonly number[])[] = [];
  const whole = Promise.withResolvers<string>();
  const wholes: unknown[] = [];
  const load = shareLoads<string, [known: string]>(
    {
      light: async (nums) => {
        statements.push(nums);
        return new Map(nums.filter((num) => num !== 3).map((num) => [num, num === 2 ? 'large' : `light ${num}`]));
      },
      whole: (num, known) => {
        wholes.push([num, known]);
        return whole.promise;
      },
    },
    LIMITS,
  );
  const large = load(2, 'much');
  expect(await Promise.all([load(1, ''), load(3, ''), load(4, '')])).toEqual(['light 1', null, 'light 4']);
  expect(await load(5, '')).toBe('light 5');
  expect(statements).toEqual([[2, 1, 3, 4], [5]]);
  expect(wholes).toEqual([[2, 'much']]);
  whole.resolve('whole');
  expect(await large).toBe('whole');
});
