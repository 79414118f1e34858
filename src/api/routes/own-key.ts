import { z } from 'zod';
import { SCOPES } from '../../domain/caller.ts';
import { defineRoute } from '../route.ts';

const ownKeySchema = z
  .object({
    kind: z.enum(['operator', 'tenant']),
    id: z.string().nullable().describe('As in the list of keys; null for an operator’s, which is in no list.'),
    tenant_id: z.string().nullable().describe('Whose key it is; null for an operator’s, which reaches every tenant.'),
    scopes: z.array(z.enum(SCOPES)),
  })
  .meta({ id: 'OwnKey' });

export const getOwnKey = defineRoute({
  method: 'get',
  path: '/v1/key',
  access: 'any_key',
  summary: 'Whose the key is that makes this call, and what it may do',
  params: z.strictObject({}),
  query: z.strictObject({}),
  responses: { 200: { description: 'The key', schema: ownKeySchema } },
  handle: async ({ caller }) => {
    const body: z.infer<typeof ownKeySchema> =
      caller.kind === 'operator'
        ? { kind: 'operator', id: null, tenant_id: null, scopes: [...SCOPES] }
        : { kind: 'tenant', id: caller.actor, tenant_id: caller.tenant.id, scopes: [...caller.scopes] };
    return { status: 200, body };
  },
});
