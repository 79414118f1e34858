import type pg from 'pg';
import { plainArray } from './plain-array.ts';
import { COLUMNS, type RejectionRow, type StoredRejection, toRejection } from './rejected-messages.ts';

const RENEWALS = 3;

/**
 * A claim on rejected messages that this process publishes now. No row is locked meanwhile, because a broker may take its time, and others
 * may retry and discard the messages. `publish_after` says until when they are claimed; processes of earlier versions heed it too.
 */
export class PublishClaim {
  readonly messages: readonly StoredRejection[];
  readonly #pool: pg.Pool;
  readonly #claimMs: number;
  readonly #timer: NodeJS.Timeout;
  /** What the claim is known by: whoever claims the messages after it has run out has another time. */
  #until: Date;
  #renewing: Promise<void> = Promise.resolve();

  /**
   * Claims some messages that are to be published, oldest first; null: there are none.
   * @param claimMs how long nobody else publishes them, unless this process renews the claim: so long those of a process that died have to
   * wait
   */
  static async take(pool: pg.Pool, sourceNum: number, limit: number, claimMs: number): Promise<PublishClaim | null> {
    const { rows } = await pool.query<RejectionRow & { readonly publish_after: Date }>(
      `WITH due AS (
         SELECT id FROM rejected_messages
          WHERE source_num = $1 AND publish AND (publish_after IS NULL OR publish_after <= now())
          ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
       ), claimed AS (
         UPDATE rejected_messages SET publish_after = now() + $3 * interval '1 millisecond'
          WHERE id IN (SELECT id FROM due) RETURNING *
       )
       SELECT ${COLUMNS}, publish_after FROM claimed ORDER BY id`,
      [sourceNum, limit, claimMs],
    );
    return rows.length === 0 ? null : new PublishClaim(pool, claimMs, rows.map(toRejection), rows[0]!.publish_after);
  }

  private constructor(pool: pg.Pool, claimMs: number, messages: readonly StoredRejection[], until: Date) {
    this.#pool = pool;
    this.#claimMs = claimMs;
    this.messages = messages;
    this.#until = until;
    this.#timer = setInterval(() => {
      this.#renewing = this.#renewing.then(() => this.#renew());
    }, claimMs / RENEWALS);
  }

  /** Stops renewing the claim, so that it can be noted what became of the messages. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
  }

  /** Lets whoever comes next publish the messages. If that fails, they can once the claim has run out. */
  async giveBack(): Promise<void> {
    await this.end();
    await this.#setUntil('NULL').catch(() => {});
  }

  async #renew(): Promise<void> {
    // If renewing fails, the next time may still be in time. If the claim runs out, the messages may be published twice.
    await this.#setUntil(`now() + ${this.#claimMs} * interval '1 millisecond'`).catch(() => {});
  }

  async #setUntil(expression: string): Promise<void> {
    const { rows } = await this.#pool.query<{ publish_after: Date | null }>(
      `UPDATE rejected_messages SET publish_after = ${expression}
        WHERE id = ANY($1::uuid[]) AND publish AND publish_after = $2::timestamptz RETURNING publish_after`,
      [plainArray(this.messages.map(({ id }) => id)), this.#until.toISOString()],
    );
    this.#until = rows[0]?.publish_after ?? this.#until;
  }
}
