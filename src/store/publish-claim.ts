import type pg from 'pg';
import { plainArray } from './plain-array.ts';
import { COLUMNS, type RejectionRow, type StoredRejection, toRejection } from './rejected-messages.ts';

const RENEWALS = 3;

/**
 * Rejected messages that this process publishes now. No row is locked meanwhile: a broker may take its time, and others retry and discard
 * them. Until when they are taken stands in `publish_after`, which processes of earlier versions go by, too.
 */
export class PublishClaim {
  readonly messages: readonly StoredRejection[];
  readonly #pool: pg.Pool;
  readonly #claimMs: number;
  readonly #timer: NodeJS.Timeout;
  /** What the claim is known by: whoever takes them once it has run out has another. */
  #until: Date;
  #renewing: Promise<void> = Promise.resolve();

  /**
   * Takes some that are to be published, oldest first; null: there are none.
   * @param claimMs how long nobody else publishes them, unless this process goes on saying that it is at it: so long those of one that died wait
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

  /** Renews it no more: what became of the messages is to be noted. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
  }

  /** Whoever comes next may publish them. Where that cannot be said, once it has run out. */
  async giveBack(): Promise<void> {
    await this.end();
    await this.#setUntil('NULL').catch(() => {});
  }

  async #renew(): Promise<void> {
    // What cannot be renewed runs out, and may be published twice: the next time may be in time.
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
