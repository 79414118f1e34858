import { z } from 'zod';
import { EVENT_TYPE, isReservedType } from '../routing/type-pattern.ts';

// Printable and without surrogate halves: such text goes into headers, columns and logs as it is.
const CONTROL = /\p{Cc}/u;
export const MAX_SHORT_TEXT = 256;
/** Text of one line, taken as it is: a subject, say. */
export const shortText = z
  .string()
  .min(1)
  .max(MAX_SHORT_TEXT)
  .refine(isPrintable, 'expected text without control characters');

export function isPrintable(text: string): boolean {
  return !CONTROL.test(text) && text.isWellFormed();
}

export const EVENT_ID = /^[A-Za-z0-9_:~-]{1,256}$/;
const eventId = z
  .string()
  .regex(EVENT_ID, 'expected 1 to 256 letters, digits, _, -, : or ~ (no dots: the signature uses them)');

export const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** An idempotency key, from `metadata.idempotency_key` or the `Idempotency-Key` header. */
export const idempotencyKey = z.string().regex(IDEMPOTENCY_KEY, 'expected 1 to 255 printable ASCII characters');

const eventType = z
  .string()
  .regex(EVENT_TYPE, 'expected dotted segments of letters, digits, _ and -, at most 128 characters')
  .refine((type) => !isReservedType(type), 'types that begin with system are kept for Posthorn itself');

/** RFC 3339 with an offset or Z. A leap second is accepted as the standard has it. */
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

const timestamp = z
  .string()
  .refine(isRfc3339, 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z')
  .meta({ format: 'date-time' });

export function isRfc3339(text: string): boolean {
  if (!TIMESTAMP.test(text)) return false;
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const isTime = twoDigits(text, 11) <= 23 && twoDigits(text, 14) <= 59 && twoDigits(text, 17) <= 60;
  if (!isTime || month < 1 || month > 12 || day < 1) return false;
  // Every month has so many days: only for the others the calendar is asked.
  return day <= 28 || day <= new Date(Date.UTC(Number(text.slice(0, 4)), month, 0)).getUTCDate();
}

function twoDigits(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 0x30 * 11;
}

export const TYPE_VERSION = /^\d{1,9}\.\d{1,9}(\.\d{1,9})?$/;
export const MAX_TENANT_ID = 128;

/** An event as a producer sends it. `data` may be any JSON value; unknown fields are refused with their path. */
export const eventInput = z.strictObject({
  id: eventId.optional(),
  type: eventType,
  version: z.string().regex(TYPE_VERSION, 'expected a version such as 1.0').optional(),
  timestamp: timestamp.optional(),
  tenant_id: z.string().min(1).max(MAX_TENANT_ID).optional(),
  correlation_id: shortText.optional(),
  subject: shortText.optional(),
  data: z.unknown().refine((data) => data !== undefined, 'required'),
  metadata: z.looseObject({ source: shortText.optional(), idempotency_key: idempotencyKey.optional() }).optional(),
});

export type EventInput = z.infer<typeof eventInput>;
