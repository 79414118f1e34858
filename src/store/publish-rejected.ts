import type pg from 'pg';
import { plainArray } from './plain-array.ts';
import { PublishClaim } from './publish-claim.ts';
import type { StoredRejection } from './rejected-messages.ts';

/** The ids of messages that were not taken, with the reasons. */
export type NotTaken = ReadonlyMap<string, string>;

const CLAIM_MS = 60_000;
/** How long a message that was not taken waits, so that others pass it: the older it is, the longer. */
const LATER = `least(interval '1 day', greatest(interval '5 minutes', (now() - m.rejected_at) / 2))`;

/**
 * Publishes some messages that are to be published, oldest first, and notes it. If `publish` fails, they may be published again at once; if
 * the process dies, once its claim has run out. So each is published at least once. Messages that `publish` reports as not taken wait a
 * while, and hold up no others.
 * @returns how many were published, and those that were not taken.
 */
export async function publishRejected(
  pool: pg.Pool,
  sourceNum: number,
  limit: number,
  publish: (messages: readonly StoredRejection[]) => Promise<NotTaken>,
  claimMs: number = CLAIM_MS,
): Promise<{ readonly published: number; readonly notTaken: NotTaken }> {
  const claim = await PublishClaim.take(pool, sourceNum, limit, claimMs);
  if (claim === null) return { published: 0, notTaken: new Map() };
  const { messages } = claim;
  const notTaken = await publish(messages).catch(async (error: unknown) => {
    await claim.giveBack();
    throw error;
  });
  await claim.end();
  await note(pool, messages, notTaken);
  return { published: messages.length - notTaken.size, notTaken };
}

/**
 * Notes the results by id, whoever has claimed the messages by now: what is published is published. A message that another process noted as
 * published stays so, and one that was discarded is gone.
 */
async function note(pool: pg.Pool, messages: readonly StoredRejection[], notTaken: NotTaken): Promise<void> {
  await pool.query(
    `UPDATE rejected_messages AS m
        SET publish = n.error IS NOT NULL, publish_error = n.error,
            publish_after = CASE WHEN n.error IS NULL THEN NULL ELSE now() + ${LATER} END
       FROM unnest($1::uuid[], $2::text[]) AS n(id, error) WHERE m.id = n.id AND m.publish`,
    [plainArray(messages.map(({ id }) => id)), messages.map(({ id }) => notTaken.get(id) ?? null)],
  );
}
