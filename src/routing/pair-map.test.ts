import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PairMap } from './pair-map.ts';

test('a table of pairs keeps what a map keeps, while pairs come and go', () => {
  const step = fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 12 }), fc.integer({ min: -6, max: 6 }));
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 400 }), (seed, steps) => {
      const pairs = new PairMap(seed);
      const model = new Map<string, number>();
      for (const [i, [isSet, a, b]] of steps.entries()) {
        if (isSet) pairs.set(a, b, i + 1);
        else pairs.delete(a, b);
        if (isSet) model.set(`${a}/${b}`, i + 1);
        else model.delete(`${a}/${b}`);
      }
      expect(pairs.size).toBe(model.size);
      for (let a = 1; a <= 12; a++) {
        for (let b = -6; b <= 6; b++) expect(pairs.get(a, b)).toBe(model.get(`${a}/${b}`) ?? 0);
      }
    }),
  );
});
