import type { Change } from './audit.ts';
import type { Queryable } from './in-transaction.ts';

/** Appends to the audit log what plain SQL did, on the connection that did it and in its transaction. */
export async function appendAuditRow(client: Queryable, change: Change): Promise<void> {
  const { tenantNum, actor, action, object, before, after } = change;
  await client.query(
    'INSERT INTO audit_log (tenant_num, actor, action, object, before, after) VALUES ($1, $2, $3, $4, $5, $6)',
    [tenantNum, actor, action, object, jsonOf(before), jsonOf(after)],
  );
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
