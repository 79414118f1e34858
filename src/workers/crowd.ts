import type { DueDelivery } from '../store/mailbox.ts';

/** Rows of one tenant among those of a read from which on it is one of the crowd: as a share of them, and at the least. */
const SHARE = 1 / 200;
const LEAST = 4;
/** The same for one of the few rows that are read past the crowd, and of how many reads: a burst that comes with two of them is none. */
const SHARE_OF_FEW = 1 / 4;
const READS = 3;
/** For how long it stays one, in ms. */
const REMEMBERED_MS = 2_000;

type OfTenant = Pick<DueDelivery, 'tenantNum'>;

/** The tenants whose rows were many among those that were read of late: whoever has few due is found by reading past them. */
export class Crowd {
  /** When each was one of the crowd last, in ms of `performance.now()`. */
  readonly #seenAt = new Map<number, number>();
  /** Those of whom there were many in reads past the crowd. */
  readonly #suspected = new Map<number, { readonly reads: number; readonly seenAt: number }>();

  /** Takes note of what a read brought that did not bring everything that was due. */
  note(rows: readonly OfTenant[], now: number): void {
    for (const tenantNum of many(rows, SHARE)) this.#seenAt.set(tenantNum, now);
  }

  /** The same for a few rows of one lane that were read past the crowd. */
  noteFew(rows: readonly OfTenant[], now: number): void {
    for (const tenantNum of many(rows, SHARE_OF_FEW)) {
      const before = this.#suspected.get(tenantNum) ?? { reads: 0, seenAt: now - 1 };
      // One read brings rows of several lanes.
      const reads = before.reads + Number(before.seenAt !== now);
      this.#suspected.set(tenantNum, { reads, seenAt: now });
      if (reads >= READS) this.#seenAt.set(tenantNum, now);
    }
  }

  tenants(now: number): readonly number[] {
    for (const [tenantNum, seenAt] of this.#seenAt) if (now - seenAt > REMEMBERED_MS) this.#seenAt.delete(tenantNum);
    for (const [tenantNum, { seenAt }] of this.#suspected)
      if (now - seenAt > REMEMBERED_MS) this.#suspected.delete(tenantNum);
    return [...this.#seenAt.keys()];
  }
}

function many(rows: readonly OfTenant[], share: number): readonly number[] {
  const counts = new Map<number, number>();
  for (const { tenantNum } of rows) counts.set(tenantNum, (counts.get(tenantNum) ?? 0) + 1);
  const least = Math.max(LEAST, rows.length * share);
  return [...counts].filter(([, count]) => count >= least).map(([tenantNum]) => tenantNum);
}
