import { expect } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { findSleepingLanes, LEASE_MS } from '../../src/store/lanes.ts';
import { cancelDelivery } from '../../src/store/redrive.ts';
import type { ModelEndpoint, ModelRow } from '../../src/workers/fixtures/mailbox-model.ts';
import { type Lease, type TableTwins, WORKERS } from './table-twins.ts';

const keysOf = (
  rows: readonly { readonly eventUuid: string; readonly endpointNum: number; readonly strikes?: number }[],
) => rows.map(({ eventUuid, endpointNum, strikes }) => `${endpointNum} ${eventUuid} ${strikes}`).sort();

/** Deliveries that are due so many ms from now on. */
export async function add(twins: TableTwins, num: number, count: number, dueInMs: number, isReplay: boolean) {
  for (let i = 0; i < count; i++) {
    const row = twins.model.add(twins.made.length + 1, num, Math.floor(twins.nowMs) + dueInMs);
    row.isReplay = isReplay;
    twins.made.push(row);
    const { tenantNum } = twins.model.endpoints.get(num)!;
    await twins.pool.query(
      `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, replay_num, order_key, seq) VALUES ($1, to_timestamp($2 / 1000::float8), $3, $4, $5, $6, $7, $8)`,
      [row.eventUuid, row.dueAtMs, num, tenantNum, row.lane, isReplay ? 1 : null, row.place?.key, row.place?.seq],
    );
  }
  await twins.compare();
}

export async function acquire(twins: TableTwins, owner: string, lanes: readonly number[]): Promise<void> {
  const leases = await twins.ask(
    owner,
    (store) => store.acquire(lanes),
    (answer) => [...answer].sort((a, b) => a.lane - b.lane),
  );
  for (const lease of leases)
    twins.given.set(lease.lane, [...(twins.given.get(lease.lane) ?? []), { ...lease, owner }]);
}

/** @returns the keys of what was set aside */
export async function review(twins: TableTwins, leases: readonly Lease[]): Promise<readonly string[]> {
  const { setAside } = await twins.ask(
    WORKERS[0],
    (store) => store.reviewSuspects(leases),
    (answer) => [keysOf(answer.suspects), keysOf(answer.setAside)],
  );
  return setAside.map(({ eventUuid }) => eventUuid);
}

export async function putOnTrial(twins: TableTwins, leases: readonly Lease[], rows: readonly ModelRow[]) {
  await twins.ask(WORKERS[0], (store) => store.putOnTrial(leases, rows), keysOf);
}

/** Owners of its lane die while they try a row, until it is set aside. */
export async function poison(twins: TableTwins, row: ModelRow): Promise<void> {
  for (let crash = 0; crash < 7; crash++) {
    await twins.pass(LEASE_MS + 1);
    await acquire(twins, WORKERS[crash % WORKERS.length]!, [row.lane]);
    const leases = twins.given.get(row.lane)!.slice(-1);
    if ((await review(twins, leases)).includes(row.eventUuid)) return;
    await putOnTrial(twins, leases, [row]);
  }
}

export async function cancel(twins: TableTwins, row: ModelRow): Promise<void> {
  const { eventUuid, endpointNum } = row;
  const num = twins.model.endpoints.get(endpointNum)!.tenantNum;
  const delivery = { eventUuid, endpointNum, deliveryId: deliveryIdOf(eventUuid, endpointNum) };
  await cancelDelivery(twins.pool, { num, id: `tenant_${num}` }, delivery, 'operator');
  twins.model.cancel(row);
  await twins.compare();
}

type Change = Pick<ModelEndpoint, 'enabled' | 'onDeadLetter'>;

export async function changeEndpoint(twins: TableTwins, num: number, change: Change): Promise<void> {
  const endpoint = twins.model.endpoints.get(num)!;
  Object.assign(endpoint, change, { version: endpoint.version + 1 });
  await twins.pool.query(
    'UPDATE endpoints SET enabled = $2, on_dead_letter = $3, version = version + 1 WHERE num = $1',
    [num, change.enabled, change.onDeadLetter],
  );
}

/** Lets a key go on that waits for a person. */
export async function resume(twins: TableTwins, pick: number): Promise<void> {
  const keys = [...twins.model.paused];
  const key = keys[pick % Math.max(1, keys.length)];
  if (key === undefined) return;
  twins.model.paused.delete(key);
  await twins.pool.query(`DELETE FROM paused_keys WHERE endpoint_num || '/' || order_key = $1`, [key]);
}

export async function findSleeping(twins: TableTwins): Promise<void> {
  const lanes = (await findSleepingLanes(twins.pool)).map(({ lane }) => lane).sort();
  expect(twins.model.sleepingLanes(false).sort(), 'the lanes that sleep in the model').toEqual(lanes);
}
