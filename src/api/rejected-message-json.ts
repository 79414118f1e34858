import { z } from 'zod';
import type { StoredRejection } from '../store/rejected-messages.ts';

export const rejectedMessageSchema = z
  .object({
    id: z.uuid(),
    position: z.string().describe('Where it stood: `topic/partition/offset`.'),
    group: z.string().describe('`topic/partition`, or the queue.'),
    reason: z
      .string()
      .describe(
        '`invalid_json`, `invalid_event`, `tenant_not_found`, `idempotency_conflict`, `too_large`, `unmapped`, …',
      ),
    detail: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })),
    attributes: z.record(z.string(), z.string()).describe('What the broker said of it.'),
    body_bytes: z.number().int().describe('How many bytes its body had.'),
    truncated: z.boolean().describe('It was too large to be kept whole, and cannot be tried again.'),
    attempts: z.number().int(),
    retry_requested: z.boolean(),
    dead_letter_error: z
      .string()
      .nullable()
      .describe(
        'Why the dead-letter topic or exchange has not taken it; it is tried again, after five minutes at first and ever more seldom then.',
      ),
    message_at: z.iso.datetime().nullable(),
    rejected_at: z.iso.datetime(),
  })
  .meta({ id: 'RejectedMessage' });

export const wholeRejectedSchema = rejectedMessageSchema
  .extend({
    key_base64: z.string().nullable(),
    body_base64: z.string(),
    headers: z.array(z.object({ name: z.string(), value_base64: z.string() })),
  })
  .meta({ id: 'RejectedMessageWithBytes' });

export function rejectedMessageJson(message: StoredRejection): z.infer<typeof rejectedMessageSchema> {
  const { id, position, group, reason, detail, faults, attributes, bodyBytes, truncated, attempts } = message;
  return {
    id,
    position,
    group,
    reason,
    detail,
    errors: [...faults],
    attributes: { ...attributes },
    body_bytes: bodyBytes,
    truncated,
    attempts,
    retry_requested: message.retryRequested,
    dead_letter_error: message.publishError,
    message_at: message.messageAt?.toISOString() ?? null,
    rejected_at: message.rejectedAt.toISOString(),
  };
}

export function wholeRejectedJson(message: StoredRejection): z.infer<typeof wholeRejectedSchema> {
  return {
    ...rejectedMessageJson(message),
    key_base64: message.key === null ? null : Buffer.from(message.key).toString('base64'),
    body_base64: Buffer.from(message.body).toString('base64'),
    headers: message.headers.map(([name, value_base64]) => ({ name, value_base64 })),
  };
}
