/** If a read from the start takes longer than this, in ms, the next are made in parts: all lanes of the worker wait for each read. */
const LONG_MS = 2_000;
/** If all parts of all lanes together take less than this, in ms, lanes are read from the start at once again. */
const SHORT_MS = 1_000;

/** A lane that was read. */
interface ReadLane {
  readonly depth: string;
  rescanTook(ms: number): void;
  partTook(ms: number, lanes: number): void;
}

/**
 * Decides whether a worker reads its lanes from the start at once, or in parts (`StartWalk`). While a transaction stays open that sees old
 * rows, a read from the start steps over everything that was delivered since. After hours it runs into the time limit of a statement at each
 * try, and nothing else is read meanwhile.
 */
export class StartReads {
  isInParts = false;
  /** When the last statement that read parts ended, in ms of `performance.now()`, and how long it took. */
  #partAt = Number.NEGATIVE_INFINITY;
  #partMs = 0;
  /** How long reading all parts of a lane took, by its number. */
  readonly #walks = new Map<number, number>();

  /** Whether parts may be read again that take this share of the worker's time. */
  isPartDue(now: number, share: number): boolean {
    return now - this.#partAt >= this.#partMs * (1 / share - 1);
  }

  /**
   * A statement that read these lanes took so long, or failed after so long.
   * @param held how many lanes the worker has
   */
  took(read: readonly ReadLane[], ms: number, held: number, now: number): void {
    const [whole, parts] = [
      read.filter(({ depth }) => depth === 'start'),
      read.filter(({ depth }) => depth === 'part'),
    ];
    // One statement reads all of these lanes: how long each took is not known.
    for (const lane of whole) lane.rescanTook((ms / whole.length) * held);
    for (const lane of parts) lane.partTook(ms, parts.length);
    if (parts.length > 0) {
      this.#partMs = ms;
      this.#partAt = now;
    }
    if (whole.length === 0 || ms < LONG_MS) return;
    this.isInParts = true;
    this.#walks.clear();
  }

  /** A lane was read in parts to the end, which took so long. @param held those that the worker has */
  walked(lane: number, ms: number, held: ReadonlyMap<number, unknown>): void {
    this.#walks.set(lane, ms);
    let allMs = 0;
    for (const number of held.keys()) allMs += this.#walks.get(number) ?? Number.POSITIVE_INFINITY;
    if (allMs < SHORT_MS) this.isInParts = false;
  }
}
