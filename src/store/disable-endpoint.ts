import { appendAudit } from './audit.ts';
import { resetsOf } from './endpoint-states.ts';
import { appendNotice } from './notices.ts';
import type { PrismaClient } from './prisma.ts';
import { changeRouting } from './routing.ts';
import { transactionTime } from './transaction-time.ts';
import { undoable } from './undoable.ts';

/**
 * Takes an endpoint out of service although nobody asked for it (410, or days of nothing but failure): no event matches it from now on.
 * Does nothing when it is disabled or deleted already.
 * @param reason shown to people
 * @param resets how often the endpoint's state had been reset when the reason came up. If it was reset since, the reason does not hold any
 * more: the receiver is another one, or the endpoint was enabled again
 * @returns false if the state was reset since, and the endpoint is left as it is
 */
export async function disableEndpoint(
  prisma: PrismaClient,
  endpointNum: number,
  reason: string,
  resets: number,
): Promise<boolean> {
  const active = { num: endpointNum, enabled: true, deletedAt: null };
  const endpoint = await prisma.endpoint.findFirst({ where: active, select: { id: true, tenantNum: true } });
  if (endpoint === null) return true;
  return undoable<boolean>(prisma, async (transaction, undo) => {
    if (!(await changeRouting(transaction, endpoint.tenantNum))) return undo(true);
    const data = {
      enabled: false,
      disabledReason: reason,
      version: { increment: 1 },
      updatedAt: await transactionTime(transaction),
    };
    const { count } = await transaction.endpoint.updateMany({ where: active, data });
    if (count === 0) return undo(true);
    // Whoever resets the state holds the endpoint's row, as this transaction does now.
    if ((await resetsOf(transaction, endpointNum)) !== resets) return undo(false);
    await appendAudit(transaction, {
      tenantNum: endpoint.tenantNum,
      actor: 'system',
      action: 'endpoint.disabled',
      object: endpoint.id,
      before: { enabled: true },
      after: { enabled: false, disabled_reason: reason },
    });
    const { tenantNum } = endpoint;
    await appendNotice(transaction, {
      kind: 'endpoint.disabled',
      tenantNum,
      endpointNum,
      detail: { reason, by: 'system' },
    });
    return true;
  });
}
