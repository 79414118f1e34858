/**
 * How many steps the matching of one event may take. A step takes some 20 ns, so this is half a second, in which the process does nothing
 * else.
 */
export const MAX_MATCH_STEPS = 25_000_000;

/** Where there is no bound: as many as fit in a small integer. When they are used up, they begin anew. */
const NO_BOUND = 2 ** 30 - 1;

/** Thrown when it would take too long to match the event with the filters of its tenant. */
export class TooCostlyToMatch extends Error {
  constructor() {
    super('An event has so many values where filters have so many conditions that it is not matched with them.');
    this.name = 'TooCostlyToMatch';
  }
}

/**
 * How much work the matching of the event at hand has taken, in steps of some 20 ns each (measured). Work is counted where filters and
 * values multiply, and only roughly. What is linear in the size of the event, such as reading it, is not counted.
 */
class MatchSteps {
  #left = NO_BOUND;
  #isBounded = false;

  /** @param most steps that may be taken before `end` */
  begin(most: number): void {
    this.#left = most;
    this.#isBounded = true;
  }

  end(): void {
    this.#left = NO_BOUND;
    this.#isBounded = false;
  }

  /** @param steps an integer @throws TooCostlyToMatch */
  take(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) this.#overrun();
  }

  #overrun(): void {
    if (this.#isBounded) throw new TooCostlyToMatch();
    this.#left = NO_BOUND;
  }

  /** How many are left. */
  get left(): number {
    return this.#left;
  }
}

/** One for the process is enough, because events are matched one by one, each to its end. */
export const matchSteps = new MatchSteps();
