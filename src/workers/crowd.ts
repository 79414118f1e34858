import type { DueDelivery } from '../store/mailbox.ts';

/** Rows of one tenant among those of a read from which on it is one of the crowd: as a share of them, and at the least. */
const SHARE = 1 / 200;
const SHARE_OF_FEW = 1 / 4;
const LEAST = 4;
/** For how long it stays one, in ms. */
const REMEMBERED_MS = 2_000;

type OfTenant = Pick<DueDelivery, 'tenantNum'>;

/** The tenants whose rows were many among those that were read of late: whoever has few due is found by reading past them. */
export class Crowd {
  /** When each was one of the crowd last, in ms of `performance.now()`. */
  readonly #seenAt = new Map<number, number>();

  /** Takes note of what a read brought that did not bring everything that was due. */
  note(rows: readonly OfTenant[], now: number): void {
    this.#note(rows, now, SHARE);
  }

  /** The same for a few rows of one lane that were read past the crowd. */
  noteFew(rows: readonly OfTenant[], now: number): void {
    this.#note(rows, now, SHARE_OF_FEW);
  }

  #note(rows: readonly OfTenant[], now: number, share: number): void {
    const counts = new Map<number, number>();
    for (const { tenantNum } of rows) counts.set(tenantNum, (counts.get(tenantNum) ?? 0) + 1);
    const many = Math.max(LEAST, rows.length * share);
    for (const [tenantNum, count] of counts) if (count >= many) this.#seenAt.set(tenantNum, now);
  }

  tenants(now: number): readonly number[] {
    for (const [tenantNum, seenAt] of this.#seenAt) if (now - seenAt > REMEMBERED_MS) this.#seenAt.delete(tenantNum);
    return [...this.#seenAt.keys()];
  }
}
