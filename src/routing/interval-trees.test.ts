import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IntervalTrees } from './interval-trees.ts';

const bound = fc.constantFrom(Number.NEGATIVE_INFINITY, -1, 0, 0.5, 1, 2, 3, 1e300, Number.POSITIVE_INFINITY);
const interval = fc.tuple(bound, bound).map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));

const some = fc
  .array(fc.oneof(bound, fc.constantFrom(-2, 0.7, 4)), { maxLength: 12 })
  .map((points) => Float64Array.from(points).sort());

/** Intervals that a point is inside, and of the others those that points are ends of, with these. */
function foundByEach(trees: IntervalTrees, root: number, points: Float64Array): string[] {
  const inside = new Set<number>();
  const ends = new Map<number, number[]>();
  for (const [i, point] of points.entries()) {
    const atEnd = (value: number) => ends.set(value, [...(ends.get(value) ?? []), i]);
    trees.visit(root, point, { inside: (value) => inside.add(value), atEnd });
  }
  const atEnds = [...ends].filter(([value]) => !inside.has(value)).map(([value, at]) => `${value} at ${at}`);
  return [...Array.from(inside, String), ...atEnds].sort();
}

function foundTogether(trees: IntervalTrees, root: number, points: Float64Array): string[] {
  const inside: string[] = [];
  const ends = new Map<number, number[]>();
  const atEnds = (value: number, from: number, to: number) => {
    for (let at = from; at < to; at++) ends.set(value, [...(ends.get(value) ?? []), at]);
  };
  trees.visitAll(root, points, { inside: (value) => inside.push(String(value)), atEnds });
  return [...inside, ...Array.from(ends, ([value, at]) => `${value} at ${at}`)].sort();
}

test('a point finds the intervals around it and those that end at it, in each of several trees that change; many points together find what each of them finds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1), interval, fc.nat(3)), { maxLength: 80 }), some, (steps, points) => {
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
        expect(foundTogether(trees, roots[tree]!, points)).toEqual(foundByEach(trees, roots[tree]!, points));
      }
    }),
  );
});
