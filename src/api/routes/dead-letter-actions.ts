import { z } from 'zod';
import type { Context } from '../../context.ts';
import type { TenantRef } from '../../domain/caller.ts';
import { findEventUuid } from '../../store/event-reads.ts';
import { type InTurn, type PurgeSelection, purgeDeadLetters as purge } from '../../store/purge-dead-letters.ts';
import { deliveryIds } from '../dead-letter-json.ts';
import { invalidBody, namedEndpoint } from '../find-named.ts';
import { pagingQuery } from '../paging.ts';
import { replayJson, replaySchema } from '../replay-json.ts';
import { defineRoute } from '../route.ts';
import { startReplay } from '../start-replay.ts';
import { dateTimeText, isBefore, timeMs } from '../time-query.ts';
import { letterFields } from './dead-letters.ts';
import { deliveryPosition } from './deliveries.ts';

/** How long one call purges before it leaves the rest to the next, in ms. */
const PURGE_MS = 10_000;

const noParams = z.strictObject({});
const noQuery = z.strictObject({});
const selection = {
  delivery_ids: deliveryIds.optional(),
  ...letterFields,
  since: dateTimeText.optional().describe('Events accepted at or after this time.'),
  until: dateTimeText.optional().describe('Events accepted before this time.'),
};

export const redriveDeadLetters = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/dead-letters/redrive',
  access: 'deliveries:write',
  summary: 'Make dead letters again: those that are named, those that pass the filter, or, with neither, all',
  params: noParams,
  query: noQuery,
  body: z.strictObject(selection),
  responses: { 202: { description: 'The replay that does it, with its progress', schema: replaySchema } },
  handle: async ({ tenant, body, caller }, context) => {
    const { type, ...rest } = body;
    const input = {
      ...rest,
      status: 'dead_lettered' as const,
      types: type === undefined ? undefined : [type],
    };
    return { status: 202, body: replayJson(await startReplay(tenant, input, caller, context)) };
  },
});

const purgeBody = z
  .strictObject({
    ...selection,
    all: z.literal(true).optional().describe('Every dead letter of the tenant.'),
    cursor: pagingQuery.cursor.describe('The `next` of the call before, which asked for the same.'),
  })
  .superRefine(({ all, delivery_ids, cursor, ...filter }, context) => {
    if (cursor !== undefined && delivery_ids !== undefined)
      context.addIssue({ code: 'custom', path: ['cursor'], message: 'takes a filter, or `all: true`' });
    const ways = [all, delivery_ids, Object.values(filter).find((value) => value !== undefined)];
    if (ways.filter((way) => way !== undefined).length === 1) return;
    context.addIssue({ code: 'custom', message: 'expected `delivery_ids`, or a filter, or `all: true`' });
  });

export const purgeDeadLetters = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/dead-letters/purge',
  access: 'deliveries:write',
  summary:
    'Give dead letters up for good: they become cancelled. Call again, with `next` as `cursor`, until `complete`',
  params: noParams,
  query: noQuery,
  body: purgeBody,
  isScan: true,
  responses: {
    200: {
      description: 'How many were purged',
      schema: z
        .object({
          purged: z.int(),
          complete: z.boolean().describe('False when there were too many for one call: call again.'),
          next: z
            .string()
            .nullable()
            .describe('The `cursor` of the next call, which goes on where this one stopped; null when it is complete.'),
        })
        .meta({ id: 'PurgeResult' }),
    },
  },
  handle: async ({ tenant, body, caller }, { apiPool, cursors, ringEndpoints, lockTurns, promote }) => {
    const { cursor, ...wanted } = body;
    const { all, endpoint_id, event_id, type, reason, since, until } = wanted;
    const belongsTo = ['purge', tenant.num, all, endpoint_id, event_id, type, reason, since, until];
    const after = cursor === undefined ? null : deliveryPosition.parse(cursors.decode(cursor, belongsTo));
    const selected = await selectionOf(tenant, wanted, apiPool);
    if (selected === null) return { status: 200, body: { purged: 0, complete: true, next: null } };
    const asked = { ...wanted, delivery_ids: wanted.delivery_ids?.map(({ deliveryId }) => deliveryId) };
    const inTurn: InTurn = (work, isBegun) => lockTurns.take(tenant.num, work, { isBegun });
    const how = { actor: caller.actor, asked, budgetMs: PURGE_MS, inTurn, after, promote };
    const { purged, resume, resumed } = await purge(apiPool, tenant, selected, how);
    ringEndpoints(resumed);
    const next = resume === null ? null : cursors.encode(deliveryPosition.format(resume), belongsTo);
    return { status: 200, body: { purged, complete: next === null, next } };
  },
});

/** @returns null if it names an event that does not exist: maybe this purge was sent before, and deleted the event with its last dead letter */
async function selectionOf(
  tenant: TenantRef,
  { delivery_ids, endpoint_id, event_id, type, reason, since, until }: Omit<z.infer<typeof purgeBody>, 'cursor'>,
  pool: Context['apiPool'],
): Promise<PurgeSelection | null> {
  if (delivery_ids !== undefined) return { keys: delivery_ids };
  const [sinceMs, untilMs] = [since, until].map((text) => (text === undefined ? undefined : timeMs(text)));
  if (since !== undefined && until !== undefined && !isBefore(since, until))
    throw invalidBody([{ path: 'until', message: 'expected a time after `since`' }]);
  const endpoint = endpoint_id === undefined ? undefined : await namedEndpoint(pool, tenant, endpoint_id);
  const eventUuid = event_id === undefined ? undefined : await findEventUuid(pool, tenant.num, event_id);
  if (eventUuid === null) return null;
  return { filter: { type, reason, eventUuid, endpointNum: endpoint?.num, sinceMs, untilMs } };
}
