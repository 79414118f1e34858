/** Not met with for so long, a fault may have been gone in between. It is longer than a delivery is ever put off for one. */
const FORGOTTEN_MS = 10 * 60_000;
const MAX_REMEMBERED = 50_000;

interface Run {
  readonly sinceMs: number;
  readonly atMs: number;
}

/** For how long endpoints have met with faults of ours and nothing else. Pure: it reads no clock; times are in ms on one that is steady. */
export class FaultRuns {
  /** Those that met with one least lately first. */
  readonly #runs = new Map<number, Run>();

  /** @returns how long it has gone on, in ms; 0 the first time */
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
