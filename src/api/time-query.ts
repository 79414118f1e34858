import { z } from 'zod';

const LATEST_MS = 2 ** 48 - 1;

/** An RFC 3339 date-time, as ms since 1970. */
export const dateTime = z.iso
  .datetime({ offset: true, error: 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z (write + as %2B)' })
  .transform((text) => Math.min(Math.max(0, Date.parse(text)), LATEST_MS));

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
