import { z } from 'zod';
import { isRfc3339 } from '../ingest/event-input.ts';

const LATEST_MS = 2 ** 48 - 1;
/** Most characters of a time: room for more decimals than anybody sends. */
const LONGEST = 64;
const EXPECTED = 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z';

/**
 * Whether a text is a date-time of RFC 3339, in any spelling that events may have. Queries have always taken two more spellings: without
 * seconds, and with more decimals.
 */
function isDateTime(text: string): boolean {
  if (text.length > LONGEST) return false;
  return isRfc3339(text.replace(/^(.{13}:\d\d)(?=[Zz+-])/, '$1:00').replace(/(\.\d{9})\d+/, '$1'));
}

/** A leap second counts as the first second of the next minute, as in POSIX: `Date` has no other way. */
function msOf(text: string): number {
  const upper = text.toUpperCase();
  return upper.startsWith(':60', 16) ? Date.parse(upper.replace(':60', ':59')) + 1000 : Date.parse(upper);
}

/**
 * A valid date-time as ms since 1970, rounded up. Events are accepted at whole milliseconds: those before a finer time and those at or after it
 * are divided by the next whole millisecond. Rounded down, the bound would put an event on the wrong side.
 */
export function timeMs(text: string): number {
  return msOf(text) + (/\.\d{3}0*[1-9]/.test(text) ? 1 : 0);
}

/** Whether a valid date-time is before another, to the last decimal: not by the milliseconds that divide events. */
export function isBefore(one: string, other: string): boolean {
  const [oneMs, otherMs] = [msOf(one), msOf(other)];
  return oneMs === otherMs ? digitsBelowMs(one) < digitsBelowMs(other) : oneMs < otherMs;
}

/** The decimals below the millisecond, without zeros at the end, so that they compare as text. */
function digitsBelowMs(text: string): string {
  return (/\.\d{3}(\d*)/.exec(text)?.[1] ?? '').replace(/0+$/, '');
}

/** A date-time in a query, as ms since 1970. */
export const dateTime = z
  .string()
  .refine(isDateTime, `${EXPECTED} (write + as %2B)`)
  .meta({ format: 'date-time' })
  .transform((text) => Math.min(Math.max(0, timeMs(text)), LATEST_MS));

/** A date-time in a body, as it was written. */
export const dateTimeText = z.string().refine(isDateTime, EXPECTED).meta({ format: 'date-time' });

/** Query parameters of lists over time: `since` is included, `until` is not. */
export const timeQuery = { since: dateTime.optional(), until: dateTime.optional() };

/** For `refine` on a query that takes `timeQuery`. */
export function isInOrder({ since, until }: { since?: number | undefined; until?: number | undefined }): boolean {
  return since === undefined || until === undefined || since <= until;
}

export const outOfOrder = { path: ['until'], error: 'expected a time no earlier than `since`' };
