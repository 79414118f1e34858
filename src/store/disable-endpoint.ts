import { appendAudit } from './audit.ts';
import { resetsOf } from './endpoint-states.ts';
import { appendNotice } from './notices.ts';
import type { PrismaClient } from './prisma.ts';
import { changeRouting } from './routing.ts';
import { transactionTime } from './transaction-time.ts';
import { undoable } from './undoable.ts';

/**
 * Takes an endpoint out of service by itself (410, or days of nothing but failure): no event matches it from now on. Does nothing
 * when it is disabled or deleted already.
 * @param reason shown to people
 * @param resets of its state when the reason came about: what a receiver says is nothing against the next one, nor against an endpoint that was enabled since
 * @returns false where its state was reset since, and it is left as it is
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
    // Whoever resets it holds its row, as this does now.
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
