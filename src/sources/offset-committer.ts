/** How far a partition has been taken in. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  /** The first that is still to be taken in. */
  readonly offset: bigint;
  readonly leaderEpoch: number;
}

/** How long the broker has to answer once the end was asked for. */
export const END_MS = 3_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Tells the broker how far each partition is: one request at a time, each with the newest of every partition. What could not be told is told
 * with what comes next, or after a pause that grows: nothing more may come in a partition, and what it had last would be read again, perhaps
 * when it is known no more.
 */
export class OffsetCommitter {
  readonly #commit: (offsets: PartitionOffset[]) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #newest = new Map<string, PartitionOffset>();
  #running: Promise<void> | null = null;
  #isClosed = false;
  /** What could not be told is not told again. */
  #isLastTry = false;
  /** Ends a pause. */
  #wake: (() => void) | null = null;

  constructor(commit: (offsets: PartitionOffset[]) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#commit = commit;
    this.#onFailure = onFailure;
  }

  add(offset: PartitionOffset): void {
    this.#newest.set(keyOf(offset), offset);
    this.#running ??= this.#run();
    this.#wake?.();
  }

  /**
   * Ends once everything that was added has been told, or could not be when it was tried once more; within seconds. Never rejects.
   * @param isBroken what could not be told is not tried once more: whoever is silent would be waited for again
   */
  async close(isBroken: boolean): Promise<void> {
    this.#isClosed = true;
    this.#isLastTry = isBroken;
    // All that waits while it pauses could not be told.
    if (isBroken && this.#wake !== null) this.#newest.clear();
    this.#wake?.();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, END_MS);
    await Promise.race([promise, this.#settled()]);
    clearTimeout(timer);
    this.#isLastTry = true;
    this.#newest.clear();
  }

  async #settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever else this turn of the event loop brings goes along.
    await Promise.resolve();
    for (let failures = 0; this.#newest.size > 0; ) {
      const isLast = this.#isClosed;
      const untold = await this.#tell();
      failures = untold.length === 0 ? 0 : failures + 1;
      if (untold.length === 0 || isLast || this.#isLastTry) continue;
      const hasNews = this.#newest.size > 0;
      for (const offset of untold) if (!this.#newest.has(keyOf(offset))) this.#newest.set(keyOf(offset), offset);
      if (!hasNews) await this.#pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10)));
    }
    this.#running = null;
  }

  /** @returns what could not be told */
  async #tell(): Promise<readonly PartitionOffset[]> {
    const offsets = [...this.#newest.values()];
    this.#newest = new Map();
    try {
      await this.#commit(offsets);
      return [];
    } catch (error) {
      this.#onFailure(error);
      return offsets;
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = () => {
      this.#wake = null;
      resolve();
    };
    const timer = setTimeout(() => this.#wake?.(), ms);
    await promise;
    clearTimeout(timer);
  }
}

function keyOf({ topic, partition }: PartitionOffset): string {
  return `${topic}/${partition}`;
}
