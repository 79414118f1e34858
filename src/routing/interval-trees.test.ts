import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IntervalTrees } from './interval-trees.ts';

const bound = fc.constantFrom(Number.NEGATIVE_INFINITY, -1, 0, 0.5, 1, 2, 3, 1e300, Number.POSITIVE_INFINITY);
const interval = fc.tuple(bound, bound).map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));

test('a point finds the intervals around it and those that end at it, in each of several trees that change', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1), interval, fc.nat(3)), { maxLength: 80 }), (steps) => {
      const trees = new IntervalTrees();
      const roots = [0, 0];
      const model: { tree: number; node: number; value: number; low: number; high: number }[] = [];
      for (const [value, [tree, { low, high }, dice]] of steps.entries()) {
        if (dice === 0 && model.length > 0) {
          const gone = model.splice(value % model.length, 1)[0]!;
          roots[gone.tree] = trees.delete(roots[gone.tree]!, gone.node);
          continue;
        }
        const node = trees.make(low, high, value);
        roots[tree] = trees.insert(roots[tree]!, node);
        model.push({ tree, node, value, low, high });
      }
      expect(trees.size).toBe(model.length);
      for (const tree of [0, 1]) {
        for (const point of [-2, -1, 0, 0.5, 0.7, 1, 2, 3, 4, 1e300]) {
          const found: string[] = [];
          const visitor = {
            inside: (value: number) => found.push(`${value} inside`),
            atEnd: (value: number) => found.push(`${value} at end`),
          };
          trees.visit(roots[tree]!, point, visitor);
          const wanted = model
            .filter(({ tree: of, low, high }) => of === tree && low <= point && point <= high)
            .map(({ value, low, high }) => `${value} ${low < point && point < high ? 'inside' : 'at end'}`);
          expect(found.sort()).toEqual(wanted.sort());
        }
      }
    }),
  );
});
