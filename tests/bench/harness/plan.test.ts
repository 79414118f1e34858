import { expect, test } from 'vitest';
import { deliveryIndex, endpointCount, eventBody, eventId, eventNumber, type Plan } from './plan.ts';

const plan: Plan = { run: 'r1', tenants: 3, groups: 7, fanOut: 2 };

test('every (event, endpoint) that is meant has an index of its own, and no other pair has one', () => {
  const seen = new Set<number>();
  for (let n = 0; n < 70; n++) {
    for (let endpoint = 0; endpoint < endpointCount(plan); endpoint++) {
      const index = deliveryIndex(plan, n, endpoint);
      if (index >= 0) seen.add(index);
    }
  }
  expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 140 }, (_, i) => i));
});

test('an id gives back the number of its event, and an id of another run gives none', () => {
  expect(eventNumber(plan, eventId(plan, 12_345))).toBe(12_345);
  for (const id of ['r2-1', 'r11-1', 'r1-x', 'r1--1', 'r1', '']) expect(eventNumber(plan, id), id).toBe(-1);
});

test('a posted event is JSON, of the size that the limit is measured with', () => {
  const event = JSON.parse(eventBody(plan, 5));
  expect(event).toMatchObject({ id: 'r1-5', type: 'bench.g5', tenant_id: 'bench-r1-2' });
  expect(eventBody(plan, 123_456).length).toBeGreaterThan(430);
  expect(eventBody(plan, 123_456).length).toBeLessThan(500);
});
