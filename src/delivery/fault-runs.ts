/** An endpoint that met with no fault for so long may have been well in between. It is longer than any delivery is put off for a fault. */
const FORGOTTEN_MS = 10 * 60_000;
const MAX_REMEMBERED = 50_000;

interface Run {
  readonly sinceMs: number;
  readonly atMs: number;
}

/** For how long endpoints have met with faults of ours and nothing else. Pure: it reads no clock. Times are in ms on a steady one. */
export class FaultRuns {
  /** By endpoint. The one whose last fault is oldest comes first. */
  readonly #runs = new Map<number, Run>();

  /** Notes one more fault of an endpoint. @returns how long it has gone on, in ms; 0 the first time */
  goOn(num: number, steadyMs: number): number {
    const known = this.#runs.get(num);
    const goesOn = known !== undefined && steadyMs - known.atMs < FORGOTTEN_MS;
    const sinceMs = goesOn ? known.sinceMs : steadyMs;
    this.#runs.delete(num);
    for (const [old, { atMs }] of this.#runs) {
      if (this.#runs.size < MAX_REMEMBERED && steadyMs - atMs < FORGOTTEN_MS) break;
      this.#runs.delete(old);
    }
    this.#runs.set(num, { sinceMs, atMs: steadyMs });
    return steadyMs - sinceMs;
  }

  end(num: number): void {
    if (this.#runs.size > 0) this.#runs.delete(num);
  }
}
