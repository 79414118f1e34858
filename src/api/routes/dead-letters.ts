import { z } from 'zod';
import type { Config } from '../../config/config.ts';
import { Refusal } from '../../domain/errors.ts';
import { EVENT_TYPE } from '../../routing/type-pattern.ts';
import { type DeadLetterFilter, listDeadLetters as list } from '../../store/dead-letter-list.ts';
import { readDeadLetter } from '../../store/dead-letter-reads.ts';
import { countDeadLetters } from '../../store/dead-letter-stats.ts';
import type { DeliveryKey } from '../../store/delivery-keys.ts';
import { findEndpointRef } from '../../store/endpoint-refs.ts';
import { findEventUuid } from '../../store/event-reads.ts';
import {
  deadLetterJson,
  deadLetterSchema,
  deadLetterStatsJson,
  deadLetterStatsSchema,
  deliveryKey,
  inspectedJson,
  inspectedSchema,
  reason,
} from '../dead-letter-json.ts';
import { pageOf, pagingQuery } from '../paging.ts';
import { defineRoute } from '../route.ts';
import { readScannedPage } from '../scan-page.ts';
import { isInOrder, outOfOrder, timeQuery } from '../time-query.ts';
import { deliveryPosition } from './deliveries.ts';
import { eventId } from './events.ts';

const noParams = z.strictObject({});
const noQuery = z.strictObject({});

/** What dead letters are told apart by, in a query and in a body. */
export const letterFields = {
  endpoint_id: z.string().min(1).max(64).regex(/^\w+$/, 'expected an endpoint id').optional(),
  type: z.string().regex(EVENT_TYPE, 'expected an event type').optional(),
  event_id: eventId.optional(),
  reason: reason.optional(),
};

const keptDays = ({ RETENTION_DAYS, DEAD_LETTER_RETENTION_DAYS }: Config) =>
  Math.max(RETENTION_DAYS, DEAD_LETTER_RETENTION_DAYS);

export const listDeadLetters = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/dead-letters',
  access: 'deliveries:read',
  summary: 'List dead letters. A page may hold fewer than `limit`: go on while `next` is not null',
  params: noParams,
  query: z.strictObject({ ...pagingQuery, ...timeQuery, ...letterFields }).refine(isInOrder, outOfOrder),
  isScan: true,
  responses: { 200: { description: 'A page of dead letters', schema: pageOf(deadLetterSchema) } },
  handle: async ({ tenant, query }, { apiPool, config, cursors, scanTurns }) => {
    const { endpoint_id, event_id, type, reason, since, until } = query;
    const endpoint = endpoint_id === undefined ? undefined : await findEndpointRef(apiPool, tenant.num, endpoint_id);
    const eventUuid = event_id === undefined ? undefined : await findEventUuid(apiPool, tenant.num, event_id);
    if (endpoint === null || eventUuid === null) return { status: 200, body: { data: [], next: null } };
    const filter: DeadLetterFilter = {
      type,
      reason,
      eventUuid,
      endpointNum: endpoint?.num,
      sinceMs: since,
      untilMs: until,
    };
    const scan = (after: DeliveryKey | null, limit: number) => list(apiPool, tenant.num, filter, after, limit);
    const belongsTo = ['dead-letters', tenant.num, endpoint_id, event_id, type, reason, since, until];
    const { rows, next } = await readScannedPage(
      { cursors, scanTurns },
      tenant.num,
      query,
      belongsTo,
      deliveryPosition,
      scan,
    );
    return { status: 200, body: { data: rows.map((row) => deadLetterJson(row, tenant, keptDays(config))), next } };
  },
});

export const getDeadLetterStats = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/dead-letters/stats',
  access: 'deliveries:read',
  summary: 'Count dead letters by endpoint and by reason',
  params: noParams,
  query: noQuery,
  isScan: true,
  responses: { 200: { description: 'The counts', schema: deadLetterStatsSchema } },
  handle: async ({ tenant }, { apiPool, scanTurns }) => {
    const counts = await scanTurns.take(tenant.num, () => countDeadLetters(apiPool, tenant.num, null));
    return { status: 200, body: deadLetterStatsJson(counts) };
  },
});

export const getDeadLetter = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/dead-letters/:delivery_id',
  access: 'deliveries:read',
  summary: 'Inspect a dead letter: why it was given up, and what the receiver answered last',
  params: z.strictObject({ delivery_id: deliveryKey }),
  query: noQuery,
  responses: { 200: { description: 'The dead letter', schema: inspectedSchema } },
  handle: async ({ tenant, params: { delivery_id: key } }, { apiPool, config }) => {
    const found = await readDeadLetter(apiPool, tenant.num, key);
    if (found === null) {
      throw new Refusal(404, 'dead_letter_not_found', 'The delivery is no dead letter, or its retention has ended.');
    }
    return { status: 200, body: inspectedJson(found.letter, found.attempt, tenant, keptDays(config)) };
  },
});
