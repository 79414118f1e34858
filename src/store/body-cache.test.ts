import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BodyCache } from './body-cache.ts';

const bodyOf = (bytes: number) => ({ externalId: null, body: new Uint8Array(bytes), expunged: false });

test('the cache never holds more bytes than it may, and drops the oldest first', () => {
  const action = fc.record({
    uuid: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    bytes: fc.integer({ min: 0, max: 900 }),
    isForgotten: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const cache = new BodyCache(2_000);
      const model = new Map<string, number>();
      for (const { uuid, bytes, isForgotten } of actions) {
        model.delete(uuid);
        if (isForgotten) cache.forget(uuid);
        else {
          cache.put(uuid, bodyOf(bytes));
          model.set(uuid, bytes);
        }
        // An entry costs 300 bytes beside its body.
        const total = () => [...model.values()].reduce((sum, size) => sum + size + 300, 0);
        for (const oldest of [...model.keys()]) if (total() > 2_000) model.delete(oldest);
        for (const known of 'abcde') expect(cache.get(known)?.body.length).toBe(model.get(known));
      }
    }),
    { numRuns: 500 },
  );
});

test('a body larger than the whole cache is not kept, and drives nothing else out for longer than itself', () => {
  const cache = new BodyCache(1_000);
  cache.put('large', bodyOf(5_000));
  expect(cache.get('large')).toBeUndefined();
  cache.put('small', bodyOf(100));
  expect(cache.get('small')).toBeDefined();
});
