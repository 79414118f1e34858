import { z } from 'zod';
import { AUDIT_ACTIONS } from '../../store/audit-actions.ts';
import { type AuditRecord, listAudit as list } from '../../store/list-audit.ts';
import { pageOf, pagingQuery, readWeighedPage } from '../paging.ts';
import { defineRoute } from '../route.ts';

export const auditSchema = z
  .object({
    id: z.uuid(),
    at: z.iso.datetime(),
    actor: z.string().describe('A key id, `operator` or `system`.'),
    action: z
      .string()
      .describe(`${AUDIT_ACTIONS.map((action) => `\`${action}\``).join(', ')}. Later versions may know more.`),
    object: z.string().describe('The id of what was changed.'),
    before: z.unknown().describe('What changed, as it was; null for what was made. Never a secret.'),
    after: z
      .unknown()
      .describe('What changed, as it is; null for what was deleted. Never a secret. Filters are JSON text.'),
  })
  .meta({ id: 'AuditEntry' });

function toJson({ id, at, actor, action, object, before, after }: AuditRecord): z.infer<typeof auditSchema> {
  return { id, at: at.toISOString(), actor, action, object, before, after };
}

export const listAudit = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/audit',
  access: 'endpoints:read',
  summary:
    "List the changes of a tenant's configuration. A page may hold fewer than `limit`: go on while `next` is not null",
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of changes', schema: pageOf(auditSchema) } },
  handle: async ({ tenant, query }, context) => {
    const fetch = (after: string | undefined, limit: number) => list(context, tenant, after, limit);
    const { rows, next } = await readWeighedPage(context.cursors, query, ['audit', tenant.num], fetch);
    return { status: 200, body: { data: rows.map(toJson), next } };
  },
});
