const BUCKET_MS = 5_000;
const BUCKETS = 12;

/** Plain JSON: the buckets that are not empty, oldest first, each numbered by the clock. */
export type SavedWindow = readonly (readonly [bucket: number, attempts: number, failures: number])[];

/**
 * Counts of the attempts and failures of the last minute: nothing older than 60 s counts, nothing younger than 55 s is forgotten. In a
 * ring of buckets, so that each addition costs the same and memory does not grow.
 */
export class AttemptWindow {
  readonly #attempts = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  /** Number of the newest bucket on the clock. */
  #newest = 0;
  attempts = 0;
  failures = 0;

  add(success: boolean, nowMs: number): void {
    this.#advance(Math.floor(nowMs / BUCKET_MS));
    this.#count(this.#newest, 1, success ? 0 : 1);
  }

  #advance(bucket: number): void {
    // A clock that steps back a little goes on in the newest bucket; one that steps back further would stay in it for long.
    if (Math.abs(bucket - this.#newest) >= BUCKETS) {
      this.clear();
      this.#newest = bucket;
    }
    while (this.#newest < bucket) {
      this.#newest++;
      const index = this.#newest % BUCKETS;
      this.#count(this.#newest, -this.#attempts[index]!, -this.#failures[index]!);
    }
  }

  #count(bucket: number, attempts: number, failures: number): void {
    const index = bucket % BUCKETS;
    this.#attempts[index]! += attempts;
    this.#failures[index]! += failures;
    this.attempts += attempts;
    this.failures += failures;
  }

  clear(): void {
    this.#attempts.fill(0);
    this.#failures.fill(0);
    this.#newest = 0;
    this.attempts = 0;
    this.failures = 0;
  }

  save(): SavedWindow {
    const recent: [number, number, number][] = [];
    for (let bucket = Math.max(0, this.#newest - BUCKETS + 1); bucket <= this.#newest; bucket++) {
      const index = bucket % BUCKETS;
      if (this.#attempts[index]! > 0) recent.push([bucket, this.#attempts[index]!, this.#failures[index]!]);
    }
    return recent;
  }

  restore(recent: SavedWindow): void {
    for (const [bucket, attempts, failures] of recent) {
      this.#advance(bucket);
      this.#count(bucket, attempts, failures);
    }
  }
}
