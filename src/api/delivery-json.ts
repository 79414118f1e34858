import { z } from 'zod';
import type { TenantRef } from '../domain/caller.ts';
import { deliveryIdOf, eventIdOf, uuidTime } from '../domain/ids.ts';
import type { StoredAttempt } from '../store/attempt-reads.ts';
import { DECISION, OUTCOME_CODES, type OutcomeName } from '../store/codes.ts';
import { DELIVERY_STATUSES, type Delivery, type LastAttempt } from '../store/delivery-reads.ts';

const outcome = z
  .enum(Object.keys(OUTCOME_CODES) as [OutcomeName, ...OutcomeName[]])
  .describe(
    '`skipped`: no request was made, and `detail` says why none will be. `network`: this host could not even try.',
  );

export const lastAttemptSchema = z.object({
  number: z
    .int()
    .describe(
      'Rises. That of a cancellation leaves one free for a request that may be under way: 3 after one request, say.',
    ),
  started_at: z.iso.datetime(),
  outcome,
  status: z.int().nullable().describe("The response's status; null without a response."),
  detail: z.string().nullable(),
});

export const deliverySchema = z
  .object({
    id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    endpoint_id: z.string(),
    tenant_id: z.string(),
    status: z.enum(DELIVERY_STATUSES),
    attempts: z.int().describe('Requests made so far.'),
    next_attempt_at: z.iso
      .datetime()
      .nullable()
      .describe(
        'When it is due. It goes later where its endpoint takes nothing then: disabled, circuit open, asked for a pause, not validated, behind others. Null where it has ended, was set aside, or waits for those before it in order.',
      ),
    problem: z
      .string()
      .nullable()
      .describe(
        'Why it is not tried although it waits: it was set aside (then `next_attempt_at` is null, and a retry by hand brings it back), or its endpoint is disabled.',
      ),
    last_attempt: lastAttemptSchema.nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Delivery' });

export const attemptSchema = lastAttemptSchema
  .extend({
    is_late: z
      .boolean()
      .describe('Whether it came back after the delivery had ended otherwise: a fact without effect.'),
    response: z
      .object({
        headers: z
          .record(z.string(), z.string())
          .describe('Of `set-cookie` and other credentials the name alone, of `location` no query.'),
        body: z.string().describe('Its start, at most 16 KiB.'),
        body_encoding: z.enum(['utf-8', 'base64']).describe('`base64` when the bytes are not UTF-8.'),
      })
      .nullable(),
    timing: z
      .object({
        dns_ms: z.int().nullable(),
        connect_ms: z.int().nullable(),
        first_byte_ms: z.int().nullable(),
        total_ms: z.int(),
      })
      .nullable(),
    next_attempt_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Attempt' });

export function deliveryJson(delivery: Delivery, tenant: TenantRef): z.infer<typeof deliverySchema> {
  const { eventUuid, endpointNum, externalId, eventType, endpointId, status, attempts, last } = delivery;
  return {
    id: deliveryIdOf(eventUuid, endpointNum),
    event_id: externalId ?? eventIdOf(eventUuid),
    event_type: eventType,
    endpoint_id: endpointId,
    tenant_id: tenant.id,
    status,
    attempts,
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    problem: delivery.problem,
    last_attempt: last === null ? null : lastAttemptJson(last),
    created_at: new Date(uuidTime(eventUuid)).toISOString(),
  };
}

export function lastAttemptJson(attempt: LastAttempt): z.infer<typeof lastAttemptSchema> {
  const { number, startedAt, outcome, status, detail } = attempt;
  return { number, started_at: startedAt.toISOString(), outcome, status, detail };
}

export function attemptJson(attempt: StoredAttempt): z.infer<typeof attemptSchema> {
  const { responseHeaders, dnsMs, connectMs, firstByteMs, totalMs, nextAttemptAt, decision } = attempt;
  return {
    ...lastAttemptJson(attempt),
    is_late: decision === DECISION.late,
    response:
      responseHeaders === null ? null : { headers: responseHeaders, ...bodyJson(attempt.responseBody ?? NO_BODY) },
    timing:
      totalMs === null ? null : { dns_ms: dnsMs, connect_ms: connectMs, first_byte_ms: firstByteMs, total_ms: totalMs },
    next_attempt_at: nextAttemptAt?.toISOString() ?? null,
  };
}

const NO_BODY = Buffer.alloc(0);

/** What is kept of a response body at most. */
const KEPT_BYTES = 16 * 1024;

/** A body that was cut was cut at a byte: part of a character at its end does not make the rest binary. */
function bodyJson(body: Buffer): { body: string; body_encoding: 'utf-8' | 'base64' } {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { body: decoder.decode(body, { stream: body.length >= KEPT_BYTES }), body_encoding: 'utf-8' };
  } catch {
    return { body: body.toString('base64'), body_encoding: 'base64' };
  }
}
