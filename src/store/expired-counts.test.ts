import { expect, test } from 'vitest';
import { ExpiredCounts } from './expired-counts.ts';

const ofEndpoint = (endpointId: string, count: number) => ({ tenantId: 'acme', endpointId, count });

test('what expires is told each minute and at the end, each delivery once, those with most first', () => {
  let nowMs = 5;
  const told: unknown[] = [];
  const counts = new ExpiredCounts(
    (expired) => told.push(expired),
    () => nowMs,
  );
  counts.add([ofEndpoint('ep_1', 2), ofEndpoint('ep_2', 3)]);
  nowMs += 59_999;
  counts.add([ofEndpoint('ep_1', 4)]);
  expect(told).toEqual([]);
  nowMs += 1;
  counts.add(null);
  expect(told).toEqual([[ofEndpoint('ep_1', 6), ofEndpoint('ep_2', 3)]]);
  counts.add([ofEndpoint('ep_2', 1)]);
  expect(told).toHaveLength(1);
  counts.tell();
  counts.tell();
  expect(told.slice(1)).toEqual([[ofEndpoint('ep_2', 1)]]);
});
