import { z } from 'zod';
import type { Context } from '../../context.ts';
import type { Caller, TenantRef } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import { expungedBody } from '../../ingest/expunged-body.ts';
import { EVENT_TYPE } from '../../routing/type-pattern.ts';
import { findEventUuid, findEveryEventUuid, listEvents as list, readEvent } from '../../store/event-reads.ts';
import { expungePayload as expunge } from '../../store/expunge.ts';
import { eventJson, eventPageJson, eventSchema } from '../event-json.ts';
import { pageOf, pagingQuery } from '../paging.ts';
import { defineRoute } from '../route.ts';
import { readScannedPage } from '../scan-page.ts';
import { isInOrder, outOfOrder, timeQuery } from '../time-query.ts';

/** An id of ours, or any that ingest takes from a producer. */
export const eventId = z.string().regex(/^[A-Za-z0-9_:~-]{1,256}$/, 'expected an event id');
const params = z.strictObject({ event_id: eventId });
const noQuery = z.strictObject({});
const uuidText = { format: (uuid: string) => uuid, parse: (text: string) => text };

/** @throws Refusal 404 */
export async function requireEvent(pool: Context['apiPool'], tenant: TenantRef, id: string): Promise<string> {
  const uuid = await findEventUuid(pool, tenant.num, id);
  if (uuid === null) throw eventNotFound();
  return uuid;
}

const eventNotFound = () =>
  new Refusal(404, 'event_not_found', 'The event does not exist, or its retention has ended.');

export const listEvents = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/events',
  access: 'events:read',
  summary: 'List events. A page may hold fewer than `limit`: go on while `next` is not null',
  params: z.strictObject({}),
  query: z
    .strictObject({
      ...pagingQuery,
      ...timeQuery,
      type: z.string().regex(EVENT_TYPE, 'expected an event type').optional(),
      subject: z
        .string()
        .min(1)
        .max(256)
        .refine((text) => !text.includes('\u0000'), 'expected text without NUL')
        .optional(),
    })
    .refine(isInOrder, outOfOrder),
  isScan: true,
  responses: { 200: { description: 'A page of events', schema: pageOf(eventSchema) } },
  handle: async ({ tenant, query }, { apiPool, cursors, scanTurns }) => {
    const { type, subject, since, until } = query;
    const filter = { type, subject, sinceMs: since, untilMs: until };
    const scan = (after: string | null, limit: number) => list(apiPool, tenant.num, filter, after, limit);
    const belongsTo = ['events', tenant.num, type, subject, since, until];
    const { rows, next } = await readScannedPage({ cursors, scanTurns }, tenant.num, query, belongsTo, uuidText, scan);
    return { status: 200, rawBody: eventPageJson(rows, next) };
  },
});

export const getEvent = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/events/:event_id',
  access: 'events:read',
  summary: 'Read an event, as stored and as delivered',
  params,
  query: noQuery,
  responses: { 200: { description: 'The event', schema: eventSchema } },
  handle: async ({ tenant, params: { event_id } }, { apiPool }) => {
    const event = await readEvent(apiPool, tenant.num, await requireEvent(apiPool, tenant, event_id));
    if (event === null) throw eventNotFound();
    return { status: 200, rawBody: eventJson(event) };
  },
});

/** How often events of the id are looked up. An event gets another UUID when its dead letters are made again, maybe between a lookup and its expunge. */
const MOST_LOOKS = 5;

export const expungePayload = defineRoute({
  method: 'delete',
  path: '/v1/tenants/:tenant_id/events/:event_id/payload',
  access: 'events:write',
  summary:
    'Expunge the payload of an event for good (of all that have the id, where a producer used it again) and cancel what waits; the fact and its attempts stay',
  params,
  query: noQuery,
  isScan: true,
  responses: { 204: { description: 'Expunged', schema: null } },
  handle: async ({ tenant, params: { event_id }, caller }, context) => {
    // It takes a turn, because it may wait with a connection in hand for the lock of whatever brings deliveries of the tenant back, such as
    // a replay.
    await context.lockTurns.take(tenant.num, () => expungeEvery(event_id, tenant, caller, context));
    return { status: 204 };
  },
});

async function expungeEvery(
  event_id: string,
  tenant: TenantRef,
  caller: Caller,
  { apiPool, bodies, ringEndpoints, promote }: Context,
): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const uuids = await findEveryEventUuid(apiPool, tenant.num, event_id);
    if (uuids.length === 0) throw eventNotFound();
    let areThere = true;
    for (const uuid of uuids) {
      const event = { uuid, publicId: event_id };
      const expunged = await expunge(apiPool, tenant, event, caller.actor, expungedBody, promote);
      if (expunged === null) areThere = false;
      else ringEndpoints(expunged.resumed);
      bodies.forget(uuid);
    }
    if (areThere) return;
  }
  throw new Refusal(503, 'unavailable', 'The event is being moved. Try again.', { retryAfterSeconds: 1 });
}
