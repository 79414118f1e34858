import type { AuditAction } from './audit-actions.ts';
import type { Prisma, Transaction } from './prisma.ts';

export interface Change {
  readonly tenantNum: number | null;
  /** Key id, `operator`, or `system`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** Id of what was changed. */
  readonly object: string;
  /** Never a secret: say that it changed, not what it is. */
  readonly before?: Prisma.InputJsonValue;
  readonly after?: Prisma.InputJsonValue;
}

/** Appends a configuration change, in the transaction that makes it. */
export async function appendAudit(transaction: Transaction, change: Change): Promise<void> {
  await transaction.auditEntry.create({ data: change });
}
