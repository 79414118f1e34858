import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import * as eventTypes from '../../store/event-types.ts';
import { eventTypeJson } from '../event-type-json.ts';
import { eventTypeSchema, typePatch } from '../event-type-schema.ts';
import { pageOf, pagingQuery, readWeighedPage } from '../paging.ts';
import { defineRoute } from '../route.ts';

const noQuery = z.strictObject({});
const params = z.strictObject({ type: z.string().max(128) });

export function typeNotFound(): Refusal {
  return new Refusal(404, 'event_type_not_found', 'The event type is not registered.');
}

export const listEventTypes = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/event-types',
  access: 'endpoints:read',
  summary: 'List event types, with their versions. A page may hold fewer than `limit`: go on while `next` is not null',
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of event types', schema: pageOf(eventTypeSchema) } },
  handle: async ({ tenant, query }, context) => {
    const fetch = (after: string | undefined, limit: number) =>
      eventTypes.listEventTypes(context, tenant, after === undefined ? undefined : Number(after), limit);
    const { rows, next } = await readWeighedPage(context.cursors, query, ['event-types', tenant.num], fetch);
    return { status: 200, body: { data: rows.map(eventTypeJson), next } };
  },
});

export const getEventType = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/event-types/:type',
  access: 'endpoints:read',
  summary: 'Read an event type',
  params,
  query: noQuery,
  responses: { 200: { description: 'The event type', schema: eventTypeSchema } },
  handle: async ({ tenant, params: { type } }, { prisma }) => {
    const found = await eventTypes.findEventType(prisma, tenant, type);
    if (found === null) throw typeNotFound();
    return { status: 200, body: eventTypeJson(found) };
  },
});

export const updateEventType = defineRoute({
  method: 'patch',
  path: '/v1/tenants/:tenant_id/event-types/:type',
  access: 'endpoints:write',
  summary: 'Change the description of an event type, or whether its events are validated',
  params,
  query: noQuery,
  body: typePatch,
  responses: { 200: { description: 'The event type as it is now', schema: eventTypeSchema } },
  handle: async ({ tenant, params: { type }, body, caller }, { prisma }) => {
    const updated = await eventTypes.updateEventType(prisma, tenant, type, body, caller);
    if (updated === null) throw typeNotFound();
    return { status: 200, body: eventTypeJson(updated) };
  },
});
