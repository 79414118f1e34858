import { z } from 'zod';
import { deliveryIdOf, parseDeliveryId } from '../../domain/ids.ts';
import { listSetAside as list, type SetAsideDelivery } from '../../store/list-set-aside.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { defineRoute } from '../route.ts';

const setAsideSchema = z
  .object({
    delivery_id: z.string(),
    tenant_id: z.string(),
    endpoint_id: z.string(),
    crashes: z.int().describe('Workers in a row that died while they tried it.'),
    reason: z.string(),
    set_aside_at: z.iso.datetime(),
  })
  .meta({ id: 'SetAsideDelivery' });

const idOf = ({ eventUuid, endpointNum }: SetAsideDelivery) => deliveryIdOf(eventUuid, endpointNum);

function toJson(delivery: SetAsideDelivery): z.infer<typeof setAsideSchema> {
  const { tenantId, endpointId, crashes, reason, setAsideAt } = delivery;
  return {
    delivery_id: idOf(delivery),
    tenant_id: tenantId,
    endpoint_id: endpointId,
    crashes,
    reason,
    set_aside_at: setAsideAt.toISOString(),
  };
}

export const listSetAside = defineRoute({
  method: 'get',
  path: '/v1/set-aside-deliveries',
  access: 'operator',
  summary: 'List the deliveries of all tenants that were set aside because their worker died each time they were tried',
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of deliveries', schema: pageOf(setAsideSchema) } },
  handle: async ({ query }, { apiPool, cursors }) => {
    const fetch = (after: string | undefined, limit: number) =>
      list(apiPool, after === undefined ? null : parseDeliveryId(after), limit);
    const { rows, next } = await readPage(cursors, query, ['set-aside'], fetch, idOf);
    return { status: 200, body: { data: rows.map(toJson), next } };
  },
});
