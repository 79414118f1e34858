import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BodyCache } from './body-cache.ts';

const bodyOf = (bytes: number) => ({ externalId: null, body: new Uint8Array(bytes), expunged: false });

test('the cache never holds more bytes than it may, and what came last is in it, up to half of them', () => {
  const action = fc.record({
    uuid: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
    bytes: fc.integer({ min: 0, max: 600 }),
    isForgotten: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const cache = new BodyCache(2_000);
      // Last in, first seen; what was forgotten or replaced still counts as having been there.
      const model: Entry[] = [];
      for (const { uuid, bytes, isForgotten } of actions) {
        for (const entry of model) if (entry.uuid === uuid) entry.isGone = true;
        if (isForgotten) {
          cache.forget(uuid);
        } else {
          cache.put(uuid, bodyOf(bytes));
          model.unshift({ uuid, bytes, isGone: false });
        }
        check(cache, model);
      }
    }),
    { numRuns: 500 },
  );
});

interface Entry {
  readonly uuid: string;
  readonly bytes: number;
  isGone: boolean;
}

/** An entry costs 300 bytes beside its body. */
function check(cache: BodyCache, model: readonly Entry[]): void {
  let held = 0;
  let recent = 0;
  for (const { uuid, bytes, isGone } of model) {
    recent += bytes + 300;
    if (isGone) continue;
    const known = cache.get(uuid)?.body.length;
    if (recent <= 1_000) expect(known).toBe(bytes);
    else expect([undefined, bytes]).toContain(known);
    if (known !== undefined) held += known + 300;
  }
  expect(held).toBeLessThanOrEqual(2_000);
  for (const uuid of 'abcdefg') {
    if (!model.some((entry) => entry.uuid === uuid && !entry.isGone)) expect(cache.get(uuid)).toBeUndefined();
  }
}

test('a body larger than the whole cache is not kept, and drives nothing else out for longer than itself', () => {
  const cache = new BodyCache(1_000);
  cache.put('large', bodyOf(5_000));
  expect(cache.get('large')).toBeUndefined();
  cache.put('small', bodyOf(100));
  expect(cache.get('small')).toBeDefined();
});
