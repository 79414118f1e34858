import type { Transaction } from './prisma.ts';

/**
 * Most that the subscriptions of one tenant's endpoints may be as text, in bytes, of disabled endpoints too: each process that takes its
 * events reads and keeps all of it, and must have it before the first event is stored.
 */
export const MAX_SUBSCRIPTION_BYTES = 64 * 1024 * 1024;

/** How long the subscriptions of an endpoint are as text, in SQL: 0 stands where they were not counted yet, as long as it was not changed since they are. */
export const subscriptionBytes = (endpoint: string): string =>
  `CASE ${endpoint}.subscription_bytes WHEN 0 THEN octet_length(${endpoint}.subscriptions::text) ELSE ${endpoint}.subscription_bytes END`;

/** Whether they are more by now. To be asked in a transaction that changes routing: nobody else adds to them until its end. */
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
