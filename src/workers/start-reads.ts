/** From how long on reads from the start are followed by such in parts, in ms: all lanes of the worker wait for each. */
const LONG_MS = 2_000;
/** Below how much all parts of all lanes are read at once again, in ms. */
const SHORT_MS = 1_000;

/** A lane that was read. */
interface ReadLane {
  readonly depth: string;
  rescanTook(ms: number): void;
  partTook(ms: number, lanes: number): void;
}

/**
 * Whether a worker reads its lanes from the start at once, or in parts (`StartWalk`). While a transaction stays open that sees old rows, a read from the start steps over everything that was
 * delivered since: after hours of that it runs into the time limit of a statement each time that it is tried, and nothing else is read meanwhile.
 */
export class StartReads {
  isInParts = false;
  /** When a statement ended last that read parts, in ms of `performance.now()`, and how long it took. */
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
    // One statement reads all of them: what each took is not known apart.
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
