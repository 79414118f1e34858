import { z } from 'zod';
import { EVENT_TYPE, isReservedType } from '../routing/type-pattern.ts';

// Printable and without surrogate halves: such text goes into headers, columns and logs as it is.
const CONTROL = /\p{Cc}/u;
const shortText = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => !CONTROL.test(text) && text.isWellFormed(), 'expected text without control characters');

const eventId = z
  .string()
  .regex(
    /^[A-Za-z0-9_:~-]{1,256}$/,
    'expected 1 to 256 letters, digits, _, -, : or ~ (no dots: the signature uses them)',
  );

/** An idempotency key, from `metadata.idempotency_key` or the `Idempotency-Key` header. */
export const idempotencyKey = z.string().regex(/^[\x20-\x7e]{1,255}$/, 'expected 1 to 255 printable ASCII characters');

const eventType = z
  .string()
  .regex(EVENT_TYPE, 'expected dotted segments of letters, digits, _ and -, at most 128 characters')
  .refine((type) => !isReservedType(type), 'types that begin with system are kept for Posthorn itself');

/** RFC 3339 with an offset or Z. A leap second is accepted as the standard has it. */
const TIMESTAMP = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

const timestamp = z.string().refine(isRfc3339, 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z');

function isRfc3339(text: string): boolean {
  const parts = TIMESTAMP.exec(text)?.slice(1, 7).map(Number);
  if (parts === undefined) return false;
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth && hour <= 23 && minute <= 59 && second <= 60;
}

/** An event as a producer sends it. `data` may be any JSON value; unknown fields are refused with their path. */
export const eventInput = z.strictObject({
  id: eventId.optional(),
  type: eventType,
  version: z
    .string()
    .regex(/^\d{1,9}\.\d{1,9}(\.\d{1,9})?$/, 'expected a version such as 1.0')
    .optional(),
  timestamp: timestamp.optional(),
  tenant_id: z.string().min(1).max(128).optional(),
  correlation_id: shortText.optional(),
  subject: shortText.optional(),
  data: z.unknown().refine((data) => data !== undefined, 'required'),
  metadata: z.looseObject({ source: shortText.optional(), idempotency_key: idempotencyKey.optional() }).optional(),
});

export type EventInput = z.infer<typeof eventInput>;
