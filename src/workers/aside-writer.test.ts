import { expect, test } from 'vitest';
import type { DueDelivery } from '../store/mailbox.ts';
import { AsideWriter } from './aside-writer.ts';
import type { Lane } from './lane.ts';
import { SetAside } from './set-aside.ts';

const row = (lane: number) =>
  ({ eventUuid: `e${lane}`, endpointNum: lane, lane, isParked: false, order: { key: 1 } }) as unknown as DueDelivery;

test('rows of a lane that is lost while others are being parked are not set behind: their owner would not know', async () => {
  const aside = new SetAside();
  aside.park([row(1)]);
  aside.setBehind([row(1), row(2)]);
  const lanes = new Map([1, 2].map((lane) => [lane, { lease: { lane, epoch: 1 } } as unknown as Lane]));
  const behind: unknown[] = [];
  const writer = new AsideWriter({
    store: {
      park: async () => void lanes.delete(2),
      setBehind: async (leases, rows) =>
        void behind.push([leases.map(({ lane }) => lane), rows.map(({ lane }) => lane)]),
      promote: async () => 0,
    },
    desks: { aside, isHeld: () => false, list: new Map() as never },
    lanes,
    floods: { note: () => {} },
  });
  await writer.write();
  expect(behind).toEqual([[[1], [1]]]);
});
