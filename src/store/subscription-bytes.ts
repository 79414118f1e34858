import type { Transaction } from './prisma.ts';

/**
 * How many bytes of text the subscriptions of one tenant's endpoints may be together, those of disabled endpoints included. Each process
 * that takes its events reads and keeps all of it, and must have it before the first event is stored.
 */
export const MAX_SUBSCRIPTION_BYTES = 64 * 1024 * 1024;

/**
 * How many bytes of text the subscriptions of an endpoint are, in SQL. 0 stands in the column if they were not counted yet, because the
 * endpoint was not changed since the column was added.
 */
export const subscriptionBytes = (endpoint: string): string =>
  `CASE ${endpoint}.subscription_bytes WHEN 0 THEN octet_length(${endpoint}.subscriptions::text) ELSE ${endpoint}.subscription_bytes END`;

/**
 * Whether a tenant's are more than that by now. To be asked in a transaction that changes routing: nobody else adds to them until its end.
 */
export async function haveTooManyBytes(transaction: Transaction, tenantNum: number): Promise<boolean> {
  const [row] = await transaction.$queryRawUnsafe<{ bytes: bigint }[]>(
    `SELECT coalesce(sum(${subscriptionBytes('e')}), 0) AS bytes FROM endpoints e WHERE tenant_num = $1 AND deleted_at IS NULL`,
    tenantNum,
  );
  return Number(row?.bytes ?? 0) > MAX_SUBSCRIPTION_BYTES;
}

/** Those of one endpoint. */
export async function bytesOf(transaction: Transaction, endpointNum: number): Promise<number> {
  const [row] = await transaction.$queryRawUnsafe<{ bytes: number }[]>(
    `SELECT ${subscriptionBytes('e')} AS bytes FROM endpoints e WHERE num = $1`,
    endpointNum,
  );
  return row!.bytes;
}
