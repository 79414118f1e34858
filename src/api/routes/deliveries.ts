import { z } from 'zod';
import type { Context } from '../../context.ts';
import type { TenantRef } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import { EVENT_TYPE } from '../../routing/type-pattern.ts';
import { listAttempts as readAttempts } from '../../store/attempt-reads.ts';
import type { DeliveryKey } from '../../store/delivery-keys.ts';
import { type DeliveryFilter, listDeliveries as list } from '../../store/delivery-list.ts';
import { DELIVERY_STATUSES, type Delivery, readDeliveries } from '../../store/delivery-reads.ts';
import { findEndpointRef } from '../../store/endpoint-refs.ts';
import { findEventUuid } from '../../store/event-reads.ts';
import { deliveryKey } from '../dead-letter-json.ts';
import { attemptJson, attemptSchema, deliveryJson, deliverySchema } from '../delivery-json.ts';
import { type PageQuery, pageOf, pagingQuery, readPage } from '../paging.ts';
import { defineRoute } from '../route.ts';
import { readScannedPage } from '../scan-page.ts';
import { isInOrder, outOfOrder, timeQuery } from '../time-query.ts';
import { eventId, requireEvent } from './events.ts';

const params = z.strictObject({ delivery_id: deliveryKey });
const noQuery = z.strictObject({});
const status = z.enum(DELIVERY_STATUSES, `expected one of ${DELIVERY_STATUSES.join(', ')}`);
const page = { description: 'A page of deliveries', schema: pageOf(deliverySchema) };

/** Where a list of deliveries goes on. */
export const deliveryPosition = {
  format: ({ eventUuid, endpointNum }: DeliveryKey) => `${eventUuid}/${endpointNum}`,
  parse: (text: string): DeliveryKey => ({ eventUuid: text.slice(0, 36), endpointNum: Number(text.slice(37)) }),
};

export const deliveryNotFound = () =>
  new Refusal(404, 'delivery_not_found', 'The delivery does not exist, or its retention has ended.');

type PageContext = Pick<Context, 'apiPool' | 'cursors' | 'scanTurns'>;

async function replyWithPage(
  { apiPool, cursors, scanTurns }: PageContext,
  tenant: TenantRef,
  query: PageQuery,
  filter: DeliveryFilter,
  belongsTo: readonly unknown[],
) {
  const scan = (after: DeliveryKey | null, limit: number) => list(apiPool, tenant.num, filter, after, limit);
  const { rows, next } = await readScannedPage<Delivery, DeliveryKey>(
    { cursors, scanTurns },
    tenant.num,
    query,
    belongsTo,
    deliveryPosition,
    scan,
  );
  return { status: 200, body: { data: rows.map((row) => deliveryJson(row, tenant)), next } };
}

export const listDeliveries = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/deliveries',
  access: 'deliveries:read',
  summary: 'List deliveries. A page may hold fewer than `limit`: go on while `next` is not null',
  params: z.strictObject({}),
  query: z
    .strictObject({
      ...pagingQuery,
      ...timeQuery,
      status: status.optional(),
      type: z.string().regex(EVENT_TYPE, 'expected an event type').optional(),
      endpoint_id: z.string().min(1).max(64).regex(/^\w+$/, 'expected an endpoint id').optional(),
      event_id: eventId.optional(),
    })
    .refine(isInOrder, outOfOrder),
  isScan: true,
  responses: { 200: page },
  handle: async ({ tenant, query }, context) => {
    const { status, type, endpoint_id, event_id, since, until } = query;
    const endpoint =
      endpoint_id === undefined ? undefined : await findEndpointRef(context.apiPool, tenant.num, endpoint_id);
    const eventUuid = event_id === undefined ? undefined : await findEventUuid(context.apiPool, tenant.num, event_id);
    // Nothing goes to an endpoint, or comes from an event, that this tenant does not have.
    if (endpoint === null || eventUuid === null) return { status: 200, body: { data: [], next: null } };
    const filter = { status, type, eventUuid, endpointNum: endpoint?.num, sinceMs: since, untilMs: until };
    const belongsTo = ['deliveries', tenant.num, status, type, endpoint_id, event_id, since, until];
    return replyWithPage(context, tenant, query, filter, belongsTo);
  },
});

export const listEventDeliveries = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/events/:event_id/deliveries',
  access: 'deliveries:read',
  summary: 'List the deliveries of an event',
  params: z.strictObject({ event_id: eventId }),
  query: z.strictObject({ ...pagingQuery, status: status.optional() }),
  isScan: true,
  responses: { 200: page },
  handle: async ({ tenant, params: { event_id }, query }, context) => {
    const eventUuid = await requireEvent(context.apiPool, tenant, event_id);
    const belongsTo = ['event-deliveries', tenant.num, eventUuid, query.status];
    return replyWithPage(context, tenant, query, { eventUuid, status: query.status }, belongsTo);
  },
});

/** @throws Refusal 404 */
export async function requireDelivery(
  pool: Context['apiPool'],
  tenant: TenantRef,
  key: DeliveryKey,
): Promise<Delivery> {
  const [delivery] = await readDeliveries(pool, tenant.num, [key]);
  if (delivery === undefined) throw deliveryNotFound();
  return delivery;
}

export const getDelivery = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/deliveries/:delivery_id',
  access: 'deliveries:read',
  summary: 'Read a delivery',
  params,
  query: noQuery,
  responses: { 200: { description: 'The delivery', schema: deliverySchema } },
  handle: async ({ tenant, params: { delivery_id: key } }, { apiPool }) => {
    return { status: 200, body: deliveryJson(await requireDelivery(apiPool, tenant, key), tenant) };
  },
});

export const listAttempts = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/deliveries/:delivery_id/attempts',
  access: 'deliveries:read',
  summary: 'List what was tried for a delivery, and what came of it',
  params,
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of attempts', schema: pageOf(attemptSchema) } },
  handle: async ({ tenant, params: { delivery_id: key }, query }, { apiPool, cursors }) => {
    await requireDelivery(apiPool, tenant, key);
    const fetch = (after: string | undefined, limit: number) =>
      readAttempts(apiPool, tenant.num, key, after === undefined ? null : Number(after), limit);
    const belongsTo = ['attempts', tenant.num, key.deliveryId];
    const { rows, next } = await readPage(cursors, query, belongsTo, fetch, (attempt) => String(attempt.number));
    return { status: 200, body: { data: rows.map(attemptJson), next } };
  },
});
