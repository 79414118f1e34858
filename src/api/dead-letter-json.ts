import { z } from 'zod';
import type { TenantRef } from '../domain/caller.ts';
import { deliveryIdOf, eventIdOf, parseDeliveryId, uuidTime } from '../domain/ids.ts';
import type { StoredAttempt } from '../store/attempt-reads.ts';
import type { DeadLetter } from '../store/dead-letter-reads.ts';
import { DEAD_LETTER_REASONS } from '../store/dead-letter-reason.ts';
import type { DeadLetterCounts } from '../store/dead-letter-stats.ts';
import type { DeliveryKey } from '../store/delivery-keys.ts';
import { retentionBoundary } from '../store/retention.ts';
import { attemptJson, attemptSchema, lastAttemptJson, lastAttemptSchema } from './delivery-json.ts';

export const reason = z.enum(DEAD_LETTER_REASONS, `expected one of ${DEAD_LETTER_REASONS.join(', ')}`);

const reasonDescription =
  'The outcome of the attempt that ended it; of a response also `gone` (410), `disabled` and `aborted` (`webhook-delivery` of the receiver). ' +
  '`blocked`: the egress rules refused it, or no request could be made of the event; `last_attempt` says which. `expired`: it still waited when the day of its event was dropped.';

/** A delivery that was named by its id. */
export interface NamedDelivery extends DeliveryKey {
  readonly deliveryId: string;
}

/** The id says which delivery it is: no look-up. */
export const deliveryKey = z.string().transform((id, context): NamedDelivery => {
  const key = parseDeliveryId(id);
  if (key !== null) return { ...key, deliveryId: id };
  context.addIssue({ code: 'custom', message: 'expected a delivery id' });
  return z.NEVER;
});

const MAX_DELIVERY_IDS = 1_000;
export const deliveryIds = z.array(deliveryKey).min(1).max(MAX_DELIVERY_IDS);

export const deadLetterSchema = z
  .object({
    delivery_id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    endpoint_id: z.string(),
    tenant_id: z.string(),
    reason: z.enum(DEAD_LETTER_REASONS).describe(reasonDescription),
    attempts: z.int().describe('Requests made.'),
    last_attempt: lastAttemptSchema,
    created_at: z.iso.datetime().describe('When the event was accepted.'),
    expires_at: z.iso.datetime().describe('Kept at least until then.'),
    event_url: z.string().describe('Where the event with its payload is read.'),
  })
  .meta({ id: 'DeadLetter' });

export const inspectedSchema = deadLetterSchema
  .extend({ last_attempt: attemptSchema })
  .meta({ id: 'InspectedDeadLetter' });

export function deadLetterJson(
  letter: DeadLetter,
  tenant: TenantRef,
  keptDays: number,
): z.infer<typeof deadLetterSchema> {
  const { eventUuid, endpointNum, externalId, eventType, endpointId, reason, attempts, last } = letter;
  const eventId = externalId ?? eventIdOf(eventUuid);
  return {
    delivery_id: deliveryIdOf(eventUuid, endpointNum),
    event_id: eventId,
    event_type: eventType,
    endpoint_id: endpointId,
    tenant_id: tenant.id,
    reason,
    attempts,
    last_attempt: lastAttemptJson(last),
    created_at: new Date(uuidTime(eventUuid)).toISOString(),
    // Days go whole: the boundary passes the day's end `keptDays` and one day after its start.
    expires_at: new Date(retentionBoundary(uuidTime(eventUuid), -keptDays - 1)).toISOString(),
    event_url: `/v1/tenants/${tenant.id}/events/${eventId}`,
  };
}

export function inspectedJson(
  letter: DeadLetter,
  attempt: StoredAttempt,
  tenant: TenantRef,
  keptDays: number,
): z.infer<typeof inspectedSchema> {
  return { ...deadLetterJson(letter, tenant, keptDays), last_attempt: attemptJson(attempt) };
}

const counts = z.record(z.string(), z.int());

export const deadLetterCountsSchema = z.object({
  total: z.int(),
  by_reason: counts.describe('By reason; reasons without any are absent.'),
  capped: z.boolean().describe('Whether only the newest 50,000 that were ever dead-lettered were looked at.'),
});

export const deadLetterStatsSchema = deadLetterCountsSchema
  .extend({ by_endpoint: counts.describe('By the id of the endpoint; endpoints without any are absent.') })
  .meta({ id: 'DeadLetterStats' });

export function deadLetterCountsJson({ total, byReason, capped }: DeadLetterCounts) {
  return { total, by_reason: byReason as Record<string, number>, capped };
}

export function deadLetterStatsJson(counts: DeadLetterCounts): z.infer<typeof deadLetterStatsSchema> {
  return { ...deadLetterCountsJson(counts), by_endpoint: counts.byEndpoint };
}
