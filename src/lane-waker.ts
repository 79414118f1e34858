/** Tells lanes of this process directly that they have work, and rings for the others. */
export class LaneWaker {
  readonly #ring: (lanes: Iterable<number>) => void;
  /** Set by the worker role: wakes what is awake here and returns the rest. */
  wakeLocal: (lanes: Iterable<number>) => Iterable<number> = (lanes) => lanes;

  constructor(ring: (lanes: Iterable<number>) => void) {
    this.#ring = ring;
  }

  wake(lanes: Iterable<number>): void {
    this.#ring(this.wakeLocal(lanes));
  }
}
