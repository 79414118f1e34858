import { z } from 'zod';
import type { Config } from '../config/config.ts';
import { type DefaultLimits, type LimitSettings, limitsOf } from '../domain/ingest-limits.ts';

const fields = {
  events_per_second: z.number().min(0.01).max(1_000_000).nullable().describe('Fractions are allowed; null: no limit.'),
  burst_events: z.int().min(1).max(10_000_000).describe('Events at once, after a pause.'),
  bytes_per_second: z.number().min(1).max(10_000_000_000).nullable().describe('Of request bodies; null: no limit.'),
  burst_bytes: z
    .int()
    .min(256)
    .max(10_000_000_000)
    .describe(
      'Bytes at once, after a pause; default: those of one second, and no less than the largest event that the installation takes.',
    ),
  backlog: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullable()
    .describe('Deliveries that may wait before no more events are taken; null: no limit.'),
};

/** What an operator sets for a tenant. For absent fields the installation's defaults hold. */
export const limitsInput = z.strictObject(fields).partial();

export const limitsSchema = z.object(fields).partial();

export const effectiveLimitsSchema = z.object({
  ...fields,
  burst_events: fields.burst_events.nullable(),
  burst_bytes: fields.burst_bytes.nullable(),
});

export function effectiveLimitsJson(own: LimitSettings | null, config: Config): z.infer<typeof effectiveLimitsSchema> {
  const limits = limitsOf(own, defaultLimits(config));
  return {
    events_per_second: limits.eventsPerSecond,
    burst_events: limits.eventsPerSecond === null ? null : limits.burstEvents,
    bytes_per_second: limits.bytesPerSecond,
    burst_bytes: limits.bytesPerSecond === null ? null : limits.burstBytes,
    backlog: limits.backlog,
  };
}

/** The limits of tenants that have none of their own. */
export function defaultLimits(config: Config): DefaultLimits {
  return {
    events_per_second: config.TENANT_EVENTS_PER_SECOND,
    burst_events: config.TENANT_BURST_EVENTS,
    bytes_per_second: config.TENANT_BYTES_PER_SECOND,
    burst_bytes: config.TENANT_BURST_BYTES,
    backlog: config.TENANT_BACKLOG,
    least_burst_bytes: config.MAX_EVENT_BYTES,
  };
}
