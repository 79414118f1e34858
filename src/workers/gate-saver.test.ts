import { expect, test } from 'vitest';
import { Gate } from '../delivery/gate.ts';
import { Desk } from './desk.ts';
import { GateSaver, type GateSaverOptions } from './gate-saver.ts';

const NOW = Date.UTC(2026, 10, 26);
const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };

/** A desk whose endpoint could not be reached once. */
function failedDesk(num: number, lane: number): Desk {
  const desk = new Desk(num, lane);
  const gate = Gate.restore(null, { cap: 1, rate: null }, NOW);
  gate.finish({ kind: 'unreachable', reason: 'dns', detail: '', timing }, gate.begin(NOW), {
    nowMs: NOW,
    random: () => 0,
  });
  return Object.assign(desk, { gate });
}

/** @param held lanes that this process has */
function createSaver(held: readonly number[], save: GateSaverOptions['save']): GateSaver {
  const leaseOf = (lane: number) => (held.includes(lane) ? { lane, epoch: 1 } : undefined);
  return new GateSaver({ save, leaseOf, nowMs: () => NOW });
}

test('a gate that could not be saved goes with the next saving, and with it what its tenant is to be told', async () => {
  const desk = failedDesk(1, 0);
  desk.notices = ['a notice' as never];
  const saved: unknown[] = [];
  let failures = 1;
  const saver = createSaver([0], async (_leases, states) => {
    if (failures-- > 0) throw new Error('Postgres is away');
    saved.push(...states);
  });
  await expect(saver.save([desk])).rejects.toThrow('Postgres is away');
  expect(desk.gate!.isDirty).toBe(true);
  await saver.save([desk]);
  await saver.save([desk]);
  expect(saved).toMatchObject([{ endpointNum: 1, notices: ['a notice'], gate: { failingSinceMs: NOW } }]);
});

test('gates of lanes that are lost are not saved: their owners know better', async () => {
  const saved: unknown[] = [];
  const saver = createSaver([0], async (leases, states) => {
    saved.push([leases.map(({ lane }) => lane), states.map(({ endpointNum }) => endpointNum)]);
  });
  const lost = failedDesk(2, 1);
  await saver.save([failedDesk(1, 0), lost]);
  expect(saved).toEqual([[[0], [1]]]);
  await saver.save([lost]);
  expect(saved).toHaveLength(1);
});
