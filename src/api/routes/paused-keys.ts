import { z } from 'zod';
import type { Context } from '../../context.ts';
import { Refusal } from '../../domain/errors.ts';
import { deliveryIdOf } from '../../domain/ids.ts';
import { shortText } from '../../ingest/event-input.ts';
import { orderKey } from '../../routing/order-key.ts';
import { findEndpointRef } from '../../store/endpoint-refs.ts';
import { listPausedKeys as list, type PausedKey, resumeKeys as resume } from '../../store/paused-order-keys.ts';
import { objectId } from '../object-id.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { defineRoute } from '../route.ts';

const params = z.strictObject({ endpoint_id: objectId('ep') });

const pausedKeySchema = z
  .object({
    subject: z
      .string()
      .nullable()
      .describe('Null where the whole endpoint is one key, and when the event is not kept any more.'),
    delivery_id: z.string().describe('The dead letter that the others wait for.'),
    paused_at: z.iso.datetime(),
  })
  .meta({ id: 'PausedKey' });

async function numOf({ apiPool }: Pick<Context, 'apiPool'>, tenantNum: number, id: string): Promise<number> {
  const endpoint = await findEndpointRef(apiPool, tenantNum, id);
  if (endpoint === null || endpoint.deleted)
    throw new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
  return endpoint.num;
}

export const listPausedKeys = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/paused-keys',
  access: 'deliveries:read',
  summary: 'List what waits for a person behind dead letters of an ordered endpoint (`on_dead_letter: "pause"`)',
  params,
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of paused keys', schema: pageOf(pausedKeySchema) } },
  handle: async ({ tenant, params: { endpoint_id: id }, query }, context) => {
    const num = await numOf(context, tenant.num, id);
    const fetch = (after: string | undefined, limit: number) =>
      list(context.apiPool, tenant.num, num, after === undefined ? null : Number(after), limit);
    const scope = ['paused-keys', tenant.num, num];
    const { rows, next } = await readPage(context.cursors, query, scope, fetch, ({ key }) => String(key));
    return { status: 200, body: { data: rows.map((row) => toJson(row, num)), next } };
  },
});

function toJson({ subject, eventUuid, pausedAt }: PausedKey, endpointNum: number): z.infer<typeof pausedKeySchema> {
  return { subject, delivery_id: deliveryIdOf(eventUuid, endpointNum), paused_at: pausedAt.toISOString() };
}

export const resumePausedKeys = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/paused-keys/resume',
  access: 'deliveries:write',
  summary: 'Let what waits behind dead letters go on without them; to send a dead letter first, retry it instead',
  params,
  query: z.strictObject({}),
  body: z.strictObject({
    subject: shortText.optional().describe('Of the key to resume; absent: all keys of the endpoint.'),
  }),
  responses: { 200: { description: 'What was resumed', schema: z.object({ resumed: z.int().describe('Keys.') }) } },
  handle: async ({ tenant, params: { endpoint_id: id }, body, caller }, context) => {
    const num = await numOf(context, tenant.num, id);
    const key = body.subject === undefined ? null : orderKey('subject', body.subject);
    const resumed = await resume(context.apiPool, tenant, { num, id, key }, caller.actor, context.promote);
    if (resumed > 0) context.ringEndpoints([num]);
    return { status: 200, body: { resumed } };
  },
});
