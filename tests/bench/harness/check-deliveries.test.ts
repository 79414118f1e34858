import { expect, test } from 'vitest';
import { checkDeliveries } from './check-deliveries.ts';

const plan = { run: 'r', tenants: 1, groups: 1, fanOut: 2 };
const load = { accepted: 10, requests: 1, repeated: 0, refused: [] };
const sink = {
  requests: 20,
  delivered: 20,
  duplicates: 0,
  strangers: 0,
  verified: 1,
  forged: 0,
  openConnections: 1,
  connections: 1,
  resumedSessions: 0,
};
const good = { plan, load, sink, left: 0 };

test('a run in which every accepted event came exactly once has no problems', () => {
  expect(checkDeliveries(good)).toEqual([]);
});

test('a run fails that lost, repeated, misdirected or forged anything, or did not write it down', () => {
  const bad = [
    { ...good, sink: { ...sink, delivered: 19 } },
    { ...good, sink: { ...sink, delivered: 21 } },
    { ...good, sink: { ...sink, duplicates: 1 } },
    { ...good, sink: { ...sink, strangers: 1 } },
    { ...good, sink: { ...sink, forged: 1 } },
    { ...good, sink: { ...sink, requests: 20_000, verified: 0 } },
    { ...good, load: { ...load, refused: ['422'] } },
    { ...good, left: 1 },
  ];
  for (const outcome of bad) expect(checkDeliveries(outcome), JSON.stringify(outcome)).toHaveLength(1);
});
