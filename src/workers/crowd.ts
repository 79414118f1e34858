import type { DueDelivery } from '../store/mailbox.ts';

/** Rows of one tenant among those of a read from which on it is one of the crowd: as a share of them, and at the least. */
const SHARE = 1 / 200;
const LEAST = 4;
/** Rows of one tenant among those that are read past the crowd from which on it is one, too, and the time in which, in ms: more than a burst. */
const MANY_PAST = 500;
const PAST_MS = 10_000;
/** For how long it stays one, in ms. */
const REMEMBERED_MS = 2_000;

type OfTenant = Pick<DueDelivery, 'tenantNum'>;

/** The tenants whose rows were many among those that were read of late: whoever has few due is found by reading past them. */
export class Crowd {
  /** When each was one of the crowd last, in ms of `performance.now()`. */
  readonly #seenAt = new Map<number, number>();
  /** Rows of each that were read past the crowd, since when. */
  readonly #past = new Map<number, { readonly since: number; rows: number }>();

  /** Takes note of what a read brought that did not bring everything that was due. */
  note(rows: readonly OfTenant[], now: number): void {
    const many = Math.max(LEAST, rows.length * SHARE);
    for (const [tenantNum, count] of countsOf(rows)) if (count >= many) this.#seenAt.set(tenantNum, now);
  }

  /** The same for one that passed over the crowd. @returns whether one more is one of it now */
  notePast(rows: readonly OfTenant[], now: number): boolean {
    let isOneMore = false;
    for (const [tenantNum, count] of countsOf(rows)) {
      const noted = this.#past.get(tenantNum) ?? { since: now, rows: 0 };
      this.#past.set(tenantNum, noted);
      noted.rows += count;
      if (noted.rows < MANY_PAST) continue;
      isOneMore = true;
      this.#seenAt.set(tenantNum, now);
      // As many rows again may come of it when it has been one of the crowd.
      this.#past.delete(tenantNum);
    }
    return isOneMore;
  }

  tenants(now: number): readonly number[] {
    for (const [tenantNum, seenAt] of this.#seenAt) if (now - seenAt > REMEMBERED_MS) this.#seenAt.delete(tenantNum);
    for (const [tenantNum, { since }] of this.#past) if (now - since > PAST_MS) this.#past.delete(tenantNum);
    return [...this.#seenAt.keys()];
  }
}

function countsOf(rows: readonly OfTenant[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { tenantNum } of rows) counts.set(tenantNum, (counts.get(tenantNum) ?? 0) + 1);
  return counts;
}
