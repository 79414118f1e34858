import type { Transaction } from './prisma.ts';

/**
 * Most that the subscriptions of one tenant's endpoints may be as text, in bytes, of disabled endpoints too: each process that takes its events reads and keeps all of it,
 * and must have it before the first event is stored.
 */
export const MAX_SUBSCRIPTION_BYTES = 64 * 1024 * 1024;

/** Whether they are more by now. To be asked in a transaction that changes routing: nobody else adds to them until its end. */
export async function haveTooManyBytes(transaction: Transaction, tenantNum: number): Promise<boolean> {
  const [row] = await transaction.$queryRaw<{ bytes: bigint }[]>`
    SELECT coalesce(sum(subscription_bytes), 0) AS bytes FROM endpoints WHERE tenant_num = ${tenantNum} AND deleted_at IS NULL`;
  return Number(row?.bytes ?? 0) > MAX_SUBSCRIPTION_BYTES;
}
