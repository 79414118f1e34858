/** What sleeps until a moment of its own, on one timer. */
export class Naps<Sleeper> {
  readonly #onWake: (sleepers: readonly Sleeper[]) => void;
  /** Until when, in ms of `performance.now()`. */
  readonly #sleepers = new Map<Sleeper, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(onWake: (sleepers: readonly Sleeper[]) => void) {
    this.#onWake = onWake;
  }

  has(sleeper: Sleeper): boolean {
    return this.#sleepers.has(sleeper);
  }

  add(sleeper: Sleeper, ms: number): void {
    const at = performance.now() + ms;
    this.#sleepers.set(sleeper, at);
    this.#aim(at);
  }

  delete(sleeper: Sleeper): void {
    this.#sleepers.delete(sleeper);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#sleepers.clear();
  }

  #aim(at: number): void {
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, Math.ceil(at - performance.now())));
  }

  #wake(): void {
    const now = performance.now();
    const woken: Sleeper[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [sleeper, at] of this.#sleepers) {
      if (at <= now) woken.push(sleeper);
      else next = Math.min(next, at);
    }
    for (const sleeper of woken) this.#sleepers.delete(sleeper);
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (next < Number.POSITIVE_INFINITY) this.#aim(next);
    if (woken.length > 0) this.#onWake(woken);
  }
}
