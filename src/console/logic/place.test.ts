import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOf, parsePlace } from './place.ts';

test('whatever an id or a filter holds, its link leads to it', () => {
  const segment = fc.string({ unit: 'grapheme', minLength: 1 });
  const query = fc.dictionary(fc.stringMatching(/^[a-z_]+$/), fc.string({ unit: 'grapheme', minLength: 1 }), {
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(fc.array(segment), query, (path, given) => {
      expect(parsePlace(hashOf(path, given))).toEqual({ path, query: given });
    }),
  );
});

test('what is empty is left out of a link, and what does not decode is the start', () => {
  expect(hashOf(['tenants', 'acme'], { type: '', since: undefined })).toBe('#/tenants/acme');
  for (const hash of ['', '#', '#/', '#/%', '#/%E0%A4%A']) expect(parsePlace(hash)).toEqual({ path: [], query: {} });
});
