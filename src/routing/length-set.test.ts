import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LengthSet } from './length-set.ts';

test('a length is there as long as something has it, lengths in rising order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(6)), { maxLength: 60 }), (steps) => {
      const lengths = new LengthSet();
      const model: number[] = [];
      for (const [isAdded, length] of steps) {
        if (isAdded) {
          lengths.add(length);
          model.push(length);
        } else if (model.includes(length)) {
          lengths.delete(length);
          model.splice(model.indexOf(length), 1);
        }
        const distinct = [...new Set(model)].sort((a, b) => a - b);
        expect(lengths.sorted).toEqual(distinct);
        expect(lengths.has(length)).toBe(model.includes(length));
        expect(lengths.upTo(3)).toBe(distinct.filter((each) => each <= 3).length);
      }
    }),
  );
});
