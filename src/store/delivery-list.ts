import type pg from 'pg';
import { type ScanStep, scanPage } from './bounded-scan.ts';
import { DECISION } from './codes.ts';
import {
  type DeliveryKey,
  endedKeys,
  endpointKeys,
  type KeyRange,
  type KeyStep,
  waitingKeys,
} from './delivery-keys.ts';
import { type Delivery, type DeliveryStatus, readDeliveries } from './delivery-reads.ts';
import { type TimeRange, uuidRange } from './time-range.ts';
import { walkEvents, walkLog } from './walk-log.ts';

export interface DeliveryFilter extends TimeRange {
  readonly status?: DeliveryStatus | undefined;
  readonly type?: string | undefined;
  readonly eventUuid?: string | undefined;
  readonly endpointNum?: number | undefined;
}

/**
 * A page of a tenant's deliveries, newest event first. Each combination of filters is read through the index that leads to its rows with
 * the least in between; what that index cannot tell is checked on the delivery itself.
 */
export async function listDeliveries(
  pool: pg.Pool,
  tenantNum: number,
  filter: DeliveryFilter,
  after: DeliveryKey | null,
  limit: number,
): Promise<ScanStep<Delivery, DeliveryKey>> {
  const look = await chooseKeys(pool, tenantNum, filter);
  const step = async (position: DeliveryKey | null, size: number) => {
    const { rows: keys, resume } = await look(position, size);
    const wanted = keys.filter(
      ({ endpointNum }) => filter.endpointNum === undefined || endpointNum === filter.endpointNum,
    );
    const rows = await readDeliveries(pool, tenantNum, wanted);
    return { rows: rows.filter((delivery) => matches(delivery, filter)), resume };
  };
  return scanPage<Delivery, DeliveryKey>({
    after,
    limit,
    step,
    positionOf: ({ eventUuid, endpointNum }) => ({ eventUuid, endpointNum }),
  });
}

function matches({ status, eventType }: Delivery, filter: DeliveryFilter): boolean {
  return (
    (filter.status === undefined || filter.status === status) &&
    (filter.type === undefined || filter.type === eventType)
  );
}

type Look = (after: DeliveryKey | null, size: number) => Promise<KeyStep>;

async function chooseKeys(pool: pg.Pool, tenantNum: number, filter: DeliveryFilter): Promise<Look> {
  const range: KeyRange = { tenantNum, ...uuidRange(filter) };
  const { eventUuid, status } = filter;
  const endpointNum = filter.endpointNum ?? null;
  if (eventUuid !== undefined) {
    if (eventUuid < range.from || eventUuid >= range.to) return async () => ({ rows: [], resume: null });
    return (after, size) => walkEvents(pool, tenantNum, [eventUuid], after, size);
  }
  switch (status) {
    case 'pending':
    case 'retrying': {
      const endpoints = endpointNum === null ? await countEndpoints(pool, tenantNum) : 1;
      const only = { endpointNum, isRetry: status === 'retrying', endpoints };
      return (after, size) => waitingKeys(pool, range, only, after, size);
    }
    case 'dead_lettered':
    case 'cancelled': {
      const only = { endpointNum, decision: status === 'cancelled' ? DECISION.cancel : DECISION.deadLetter };
      return (after, size) => endedKeys(pool, range, only, after, size);
    }
    default: {
      if (endpointNum !== null) return (after, size) => endpointKeys(pool, range, endpointNum, after, size);
      const walk = { type: filter.type, onlyTried: status === 'delivered' };
      return (after, size) => walkLog(pool, range, walk, after, size);
    }
  }
}

async function countEndpoints(pool: pg.Pool, tenantNum: number): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM endpoints WHERE tenant_num = $1',
    [tenantNum],
  );
  return rows[0]?.count ?? 0;
}
