/** What a read of a lane's due rows brought. */
interface Extent {
  /** Whether it brought all that was due. */
  readonly isComplete: boolean;
  /** Whether it did so for all tenants except those that have their full share of memory. */
  readonly isWhole: boolean;
}

/** Knows whether due rows of a lane may wait unread in the table, and since when. Times are in ms of `performance.now()`. */
export class UnreadDue {
  #hasAny = true;
  #readAt: number;
  #last: Extent = { isComplete: false, isWhole: false };
  /** Whether rows were left in the table since the last read began: then that read does not show that the lane caught up. */
  #fellMeanwhile = false;

  constructor(now: number) {
    this.#readAt = now;
  }

  /** Whether there may be any: because none was read yet, or not all were admitted. */
  get hasAny(): boolean {
    return this.#hasAny;
  }

  /** When the last read began that was whole, and whose rows were admitted. */
  get readAt(): number {
    return this.#readAt;
  }

  /** Due rows were left in the table. */
  fellBehind(): void {
    this.#hasAny = true;
    this.#fellMeanwhile = true;
  }

  fetchBegins(): void {
    this.#fellMeanwhile = false;
  }

  fetched(extent: Extent): void {
    this.#last = extent;
    this.#hasAny ||= !extent.isComplete;
  }

  /**
   * All rows of the last read were admitted.
   * @param beganAt when it began
   * @param isLookBackOwed whether rows may be due before the cursor, where it did not read
   */
  admitted(beganAt: number, isLookBackOwed: boolean): void {
    this.#hasAny = !this.#last.isComplete || this.#fellMeanwhile || isLookBackOwed;
    if (this.#last.isWhole) this.#readAt = beganAt;
  }
}
