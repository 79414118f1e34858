import { z } from 'zod';

const LATEST_MS = 2 ** 48 - 1;

/**
 * A valid date-time as ms since 1970. Events are accepted at whole milliseconds, so that what comes at or after a finer time, and what comes before it, are divided by
 * the next whole one: cut, it would name an event twice or leave it out.
 */
export function timeMs(text: string): number {
  return Date.parse(text) + (/\.\d{3}0*[1-9]/.test(text) ? 1 : 0);
}

/** Whether a valid date-time is before another: their order is that of what was written, not of the milliseconds that divide events. */
export function isBefore(one: string, other: string): boolean {
  const [oneMs, otherMs] = [Date.parse(one), Date.parse(other)];
  return oneMs === otherMs ? digitsBelowMs(one) < digitsBelowMs(other) : oneMs < otherMs;
}

/** They compare as text: zeros at the end say nothing. */
function digitsBelowMs(text: string): string {
  return (/\.\d{3}(\d*)/.exec(text)?.[1] ?? '').replace(/0+$/, '');
}

/** An RFC 3339 date-time, as ms since 1970. */
export const dateTime = z.iso
  .datetime({ offset: true, error: 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z (write + as %2B)' })
  .transform((text) => Math.min(Math.max(0, timeMs(text)), LATEST_MS));

/** An RFC 3339 date-time in a body, as it was written. */
export const dateTimeText = z.iso.datetime({
  offset: true,
  error: 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z',
});

/** Query parameters of lists over time: `since` is included, `until` is not. */
export const timeQuery = { since: dateTime.optional(), until: dateTime.optional() };

/** For `refine` on a query that takes `timeQuery`. */
export function isInOrder({ since, until }: { since?: number | undefined; until?: number | undefined }): boolean {
  return since === undefined || until === undefined || since <= until;
}

export const outOfOrder = { path: ['until'], error: 'expected a time no earlier than `since`' };
