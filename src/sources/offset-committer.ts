/** How far a partition has been taken in. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  /** The first that is still to be taken in. */
  readonly offset: bigint;
  readonly leaderEpoch: number;
}

/** Tells the broker how far each partition is: one request at a time, each with the newest of every partition. */
export class OffsetCommitter {
  readonly #commit: (offsets: PartitionOffset[]) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #newest = new Map<string, PartitionOffset>();
  #running: Promise<void> | null = null;

  constructor(commit: (offsets: PartitionOffset[]) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#commit = commit;
    this.#onFailure = onFailure;
  }

  add(offset: PartitionOffset): void {
    this.#newest.set(`${offset.topic}/${offset.partition}`, offset);
    this.#running ??= this.#run();
  }

  /** Once everything that was added has been told, or could not be. Never rejects. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever else this turn of the event loop brings goes along.
    await Promise.resolve();
    while (this.#newest.size > 0) {
      const offsets = [...this.#newest.values()];
      this.#newest = new Map();
      try {
        await this.#commit(offsets);
      } catch (error) {
        // What could not be told is told with what comes next, or found out to be known already when it comes again.
        this.#onFailure(error);
      }
    }
    this.#running = null;
  }
}
