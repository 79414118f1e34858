import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { typePatternProblem } from '../../routing/type-pattern.ts';
import { cancelReplay as cancel } from '../../store/cancel-replay.ts';
import * as replays from '../../store/replays.ts';
import { deliveryIds, reason } from '../dead-letter-json.ts';
import { objectId } from '../object-id.ts';
import { pageOf, pagingQuery, readWeighedPage } from '../paging.ts';
import { replayJson, replaySchema } from '../replay-json.ts';
import { defineRoute } from '../route.ts';
import { MAX_IDS, startReplay } from '../start-replay.ts';
import { dateTimeText } from '../time-query.ts';
import { eventId } from './events.ts';

const MAX_TYPES = 100;

const typePattern = z.string().superRefine((pattern, context) => {
  const problem = typePatternProblem(pattern);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

const replayRequest = z.strictObject({
  endpoint_id: z.string().max(64).optional().describe('Deliveries to this endpoint alone.'),
  status: z
    .enum(replays.REPLAYED_STATUSES)
    .optional()
    .describe(
      'Deliveries of this status are made again. Absent: every ended one, and with `endpoint_id` also the events that it would get today but never had. What waits for an attempt, or is in the midst of one, is left alone.',
    ),
  types: z.array(typePattern).min(1).max(MAX_TYPES).optional().describe('Dotted globs, as in subscriptions.'),
  event_ids: z.array(eventId).min(1).max(MAX_IDS).optional(),
  delivery_ids: deliveryIds.optional().describe('Dead letters alone: takes `status: "dead_lettered"`.'),
  reason: reason
    .optional()
    .describe('Dead letters that were given up for this reason: takes `status: "dead_lettered"`.'),
  since: dateTimeText.optional().describe('Accepted at or after this time. Absent: as far back as events are kept.'),
  until: dateTimeText.optional().describe('Accepted before this time. Absent: now.'),
});

const params = z.strictObject({ replay_id: objectId('rpl') });
const noQuery = z.strictObject({});
const replayNotFound = () => new Refusal(404, 'replay_not_found', 'The replay does not exist.');

export const createReplay = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/replays',
  access: 'deliveries:write',
  summary: 'Make deliveries again, behind live traffic',
  params: z.strictObject({}),
  query: noQuery,
  body: replayRequest,
  responses: { 202: { description: 'The replay', schema: replaySchema } },
  handle: async ({ tenant, body, caller }, context) => {
    return { status: 202, body: replayJson(await startReplay(tenant, body, caller, context)) };
  },
});

export const listReplays = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/replays',
  access: 'deliveries:read',
  summary: 'List replays. A page may hold fewer than `limit`: go on while `next` is not null',
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of replays', schema: pageOf(replaySchema) } },
  handle: async ({ tenant, query }, { apiPool, cursors }) => {
    const fetch = (after: string | undefined, limit: number) => replays.listReplays(apiPool, tenant.num, after, limit);
    const { rows, next } = await readWeighedPage(cursors, query, ['replays', tenant.num], fetch);
    return { status: 200, body: { data: rows.map(replayJson), next } };
  },
});

export const getReplay = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/replays/:replay_id',
  access: 'deliveries:read',
  summary: 'Read a replay and its progress',
  params,
  query: noQuery,
  responses: { 200: { description: 'The replay', schema: replaySchema } },
  handle: async ({ tenant, params: { replay_id } }, { apiPool }) => {
    const replay = await replays.findReplay(apiPool, tenant.num, replay_id);
    if (replay === null) throw replayNotFound();
    return { status: 200, body: replayJson(replay) };
  },
});

export const cancelReplay = defineRoute({
  method: 'delete',
  path: '/v1/tenants/:tenant_id/replays/:replay_id',
  access: 'deliveries:write',
  summary: 'Cancel a replay: what it queued and nobody has tried yet is withdrawn',
  params,
  query: noQuery,
  responses: { 204: { description: 'Cancelled', schema: null } },
  handle: async ({ tenant, params: { replay_id }, caller }, { apiPool, ringEndpoints, ringReplays, promote }) => {
    // What was withdrawn until it failed stays withdrawn. Workers do the rest.
    const result = await cancel(apiPool, tenant, replay_id, caller.actor, promote).catch((error: unknown) => {
      ringReplays();
      throw error;
    });
    switch (result) {
      case 'not_found':
        throw replayNotFound();
      case 'finished':
        throw new Refusal(409, 'replay_finished', 'The replay has finished already.');
      default:
        ringEndpoints(result.resumed);
        return { status: 204 };
    }
  },
});
