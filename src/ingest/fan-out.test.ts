import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OrderMode } from '../domain/endpoint.ts';
import { orderKey } from '../routing/order-key.ts';
import { fanOut, MAX_DIRECT } from './fan-out.ts';

const modes = fc.constantFrom<OrderMode>('none', 'endpoint', 'subject');
const given = fc.record({
  wishes: fc.array(modes, { maxLength: 40 }),
  subject: fc.option(fc.string(), { nil: null }),
  most: fc.integer({ min: 0, max: 30 }),
});

test('each endpoint is either written at once or deferred, never both, and what has a place in an order is never deferred', () => {
  const property = fc.property(given, ({ wishes, subject, most }) => {
    const endpoints = wishes.map((_, num) => num);
    const ordered = new Map(wishes.flatMap((mode, num) => (mode === 'none' ? [] : [[num, mode] as const])));
    const { direct, deferred } = fanOut(subject, ordered.size === 0 ? { endpoints } : { endpoints, ordered }, most);
    expect([...direct, ...deferred].sort((a, b) => a - b)).toEqual(endpoints);
    for (const num of deferred) expect(orderKey(wishes[num]!, subject)).toBeNull();
    if (deferred.length > 0) expect(deferred.length).toBeGreaterThan(most);
    const unordered = direct.filter((num) => orderKey(wishes[num]!, subject) === null);
    expect(unordered.length).toBeLessThanOrEqual(most);
  });
  fc.assert(property, { numRuns: 2_000 });
});

test('an event for as many endpoints as the bound is written at once, with one more it is deferred', () => {
  const endpoints = Array.from({ length: MAX_DIRECT + 1 }, (_, num) => num);
  expect(fanOut(null, { endpoints: endpoints.slice(1) }, MAX_DIRECT).deferred).toEqual([]);
  expect(fanOut(null, { endpoints }, MAX_DIRECT)).toEqual({ direct: [], deferred: endpoints });
});
