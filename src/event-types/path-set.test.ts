import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PathSet } from './path-set.ts';

const path = fc.array(fc.constantFrom('', 'a', 'b', 'ab', '.'), { maxLength: 4 }).map((parts) => parts.join('.'));

function isInside(one: string, other: string): boolean {
  return other === '' || one === other || one.startsWith(`${other}.`);
}

test('a set of paths touches what a look at each of them would', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 5 }), path, (paths, wanted) => {
      const expected = paths.some((each) => isInside(wanted, each) || isInside(each, wanted));
      expect(new PathSet(paths).touches(wanted)).toBe(expected);
    }),
    { numRuns: 1_000 },
  );
});
