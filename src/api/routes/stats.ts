import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { uuidFloor } from '../../domain/ids.ts';
import { countDeadLetters, type DeadLetterCounts } from '../../store/dead-letter-stats.ts';
import { findEndpointRef } from '../../store/endpoint-refs.ts';
import { type EndpointStats, readEndpointStats } from '../../store/endpoint-stats.ts';
import { breakerJson, breakerSchema } from '../breaker-json.ts';
import { deadLetterCountsJson, deadLetterCountsSchema } from '../dead-letter-json.ts';
import { objectId } from '../object-id.ts';
import { defineRoute } from '../route.ts';

const WINDOW_HOURS = 24;
const HOUR_MS = 3_600_000;

export const statsSchema = z
  .object({
    window_hours: z.int().describe('Events accepted within this time.'),
    delivered: z.int().describe('Attempts that delivered: a delivery that is made again counts again.'),
    failed_attempts: z.int(),
    dead_lettered: z.int().describe('How often a delivery was given up, those included that were made again since.'),
    cancelled: z.int().describe('Likewise.'),
    success_rate: z
      .number()
      .nullable()
      .describe('Share of attempts that delivered, from 0 to 1; null without attempts.'),
    latency_ms: z
      .object({ p50: z.int(), p95: z.int(), p99: z.int() })
      .nullable()
      .describe('Of attempts that got a response; null without one.'),
    sampled: z.boolean().describe('Whether only the newest 100,000 attempts were counted.'),
    breaker: breakerSchema,
    backlog: z.object({
      pending: z.int(),
      retrying: z.int(),
      capped: z.boolean().describe('Whether counting ended at 100,000 and there may be more.'),
    }),
    dead_letters: deadLetterCountsSchema.describe('All that are kept now, whatever the window.'),
  })
  .meta({ id: 'EndpointStats' });

function toJson(stats: EndpointStats, deadLetters: DeadLetterCounts, nowMs: number): z.infer<typeof statsSchema> {
  const { delivered, failedAttempts, deadLettered, cancelled, latencyMs, sampled, pending, retrying, backlogCapped } =
    stats;
  const attempts = delivered + failedAttempts;
  return {
    window_hours: WINDOW_HOURS,
    delivered,
    failed_attempts: failedAttempts,
    dead_lettered: deadLettered,
    cancelled,
    success_rate: attempts === 0 ? null : delivered / attempts,
    latency_ms: latencyMs,
    sampled,
    breaker: breakerJson(stats.gate, nowMs),
    backlog: { pending, retrying, capped: backlogCapped },
    dead_letters: deadLetterCountsJson(deadLetters),
  };
}

export const getStats = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/stats',
  access: 'endpoints:read',
  summary: 'Counts, success rate, latency and backlog of an endpoint',
  params: z.strictObject({ endpoint_id: objectId('ep') }),
  query: z.strictObject({}),
  isScan: true,
  responses: { 200: { description: 'The statistics', schema: statsSchema } },
  handle: async ({ tenant, params }, { apiPool, clock, scanTurns }) => {
    const endpoint = await findEndpointRef(apiPool, tenant.num, params.endpoint_id);
    if (endpoint === null || endpoint.deleted)
      throw new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
    const nowMs = clock.nowMs();
    const since = uuidFloor(nowMs - WINDOW_HOURS * HOUR_MS);
    const stats = await scanTurns.take(tenant.num, () => readEndpointStats(apiPool, tenant.num, endpoint.num, since));
    const deadLetters = await scanTurns.take(tenant.num, () => countDeadLetters(apiPool, tenant.num, endpoint.num));
    return { status: 200, body: toJson(stats, deadLetters, nowMs) };
  },
});
