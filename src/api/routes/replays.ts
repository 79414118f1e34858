import { z } from 'zod';
import type { Context } from '../../context.ts';
import { Refusal } from '../../domain/errors.ts';
import { uuidFloor } from '../../domain/ids.ts';
import type { TenantRef } from '../../domain/scope.ts';
import { typePatternProblem } from '../../routing/type-pattern.ts';
import { findEndpointRef } from '../../store/endpoint-refs.ts';
import { findEventUuids } from '../../store/event-reads.ts';
import * as replays from '../../store/replays.ts';
import { retentionBoundary } from '../../store/retention.ts';
import { objectId } from '../object-id.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { defineRoute } from '../route.ts';
import { eventId } from './events.ts';

const MAX_EVENT_IDS = 1_000;
const MAX_TYPES = 100;

const typePattern = z.string().superRefine((pattern, context) => {
  const problem = typePatternProblem(pattern);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

const dateTime = z.iso.datetime({ offset: true, error: 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z' });

const replayRequest = z.strictObject({
  endpoint_id: z.string().max(64).optional().describe('Deliveries to this endpoint alone.'),
  status: z
    .enum(replays.REPLAYED_STATUSES)
    .optional()
    .describe(
      'Deliveries of this status are made again. Absent: every ended one, and with `endpoint_id` also the events that it would get today but never had.',
    ),
  types: z.array(typePattern).min(1).max(MAX_TYPES).optional().describe('Dotted globs, as in subscriptions.'),
  event_ids: z.array(eventId).min(1).max(MAX_EVENT_IDS).optional(),
  since: dateTime.optional().describe('Accepted at or after this time. Absent: as far back as events are kept.'),
  until: dateTime.optional().describe('Accepted before this time. Absent: now.'),
});

const echoed = z.object({
  endpoint_id: z.string().optional(),
  status: z.enum(replays.REPLAYED_STATUSES).optional(),
  types: z.array(z.string()).optional(),
  event_ids: z.array(z.string()).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});

export const replaySchema = z
  .object({
    id: z.string(),
    state: z.enum(replays.REPLAY_STATES),
    matched: z.int().describe('Deliveries that were found and queued so far.'),
    done: z.int().describe('Of these, those that had their attempt.'),
    request: echoed.describe('What was asked for.'),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Replay' });

function toJson({ id, state, matched, queued, waiting, request, createdAt, finishedAt }: replays.Replay) {
  const done = Math.max(0, queued - waiting);
  return {
    id,
    state,
    matched,
    done,
    request,
    created_at: createdAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
  };
}

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
    const plan = await planOf(tenant, body, context);
    const request = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    const replay = await replays.createReplay(context.apiPool, tenant, request, plan, caller.actor);
    if (replay === null) {
      const limit = replays.MAX_UNFINISHED;
      throw new Refusal(
        409,
        'too_many_replays',
        `The tenant has ${limit} replays under way: wait for one to end, or cancel one.`,
      );
    }
    context.ringReplays();
    return { status: 202, body: toJson(replay) };
  },
});

/** @throws Refusal 422 when it names what the tenant does not have, 409 when the endpoint is disabled */
async function planOf(
  tenant: TenantRef,
  body: z.infer<typeof replayRequest>,
  { apiPool, clock, config }: Pick<Context, 'apiPool' | 'clock' | 'config'>,
): Promise<replays.ReplayPlan> {
  const nowMs = clock.nowMs();
  const keptMs = retentionBoundary(nowMs, config.RETENTION_DAYS);
  const sinceMs = Math.max(keptMs, body.since === undefined ? 0 : Date.parse(body.since));
  const untilMs = Math.min(nowMs + 1, body.until === undefined ? nowMs + 1 : Date.parse(body.until));
  if (body.since !== undefined && body.until !== undefined && Date.parse(body.until) <= Date.parse(body.since)) {
    throw invalid('until', 'expected a time after `since`');
  }
  return {
    from: uuidFloor(sinceMs),
    to: uuidFloor(Math.max(sinceMs, untilMs)),
    eventUuids: body.event_ids === undefined ? null : await eventUuids(apiPool, tenant, body.event_ids),
    endpointNum: body.endpoint_id === undefined ? null : await endpointNum(apiPool, tenant, body.endpoint_id),
    status: body.status ?? null,
    types: body.types ?? [],
  };
}

const invalid = (path: string, message: string) =>
  new Refusal(422, 'invalid', 'The body is not valid.', { faults: [{ path, message }] });

async function endpointNum(pool: Context['apiPool'], tenant: TenantRef, id: string): Promise<number> {
  const endpoint = id.includes('\u0000') ? null : await findEndpointRef(pool, tenant.num, id);
  if (endpoint === null || endpoint.deleted) throw invalid('endpoint_id', 'no such endpoint');
  if (!endpoint.enabled) throw new Refusal(409, 'endpoint_disabled', 'The endpoint is disabled: enable it first.');
  return endpoint.num;
}

async function eventUuids(
  pool: Context['apiPool'],
  tenant: TenantRef,
  ids: readonly string[],
): Promise<readonly string[]> {
  const found = await findEventUuids(pool, tenant.num, ids);
  const unknown = ids.flatMap((id, i) => (found.has(id) ? [] : [{ path: `event_ids.${i}`, message: 'no such event' }]));
  if (unknown.length > 0) throw new Refusal(422, 'invalid', 'The body is not valid.', { faults: unknown });
  return [...new Set(found.values())].sort();
}

export const listReplays = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/replays',
  access: 'deliveries:read',
  summary: 'List replays',
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of replays', schema: pageOf(replaySchema) } },
  handle: async ({ tenant, query }, { apiPool, cursors }) => {
    const fetch = (after: string | undefined, limit: number) => replays.listReplays(apiPool, tenant.num, after, limit);
    const { rows, next } = await readPage(cursors, query, ['replays', tenant.num], fetch, (replay) => replay.id);
    return { status: 200, body: { data: rows.map(toJson), next } };
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
    return { status: 200, body: toJson(replay) };
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
  handle: async ({ tenant, params: { replay_id }, caller }, { apiPool }) => {
    switch (await replays.cancelReplay(apiPool, tenant, replay_id, caller.actor)) {
      case 'not_found':
        throw replayNotFound();
      case 'finished':
        throw new Refusal(409, 'replay_finished', 'The replay has finished already.');
      case 'cancelled':
        return { status: 204 };
    }
  },
});
