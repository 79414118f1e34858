import { CLASSES, type DeliveryClass } from '../store/mailbox.ts';

/**
 * Whose turn it is, of twelve: eight first attempts, three retries, one replay. A class with nothing to send leaves its turn to the
 * others, so that none is ever pushed out by another and none waits for nothing.
 */
const TURNS: readonly DeliveryClass[] = [
  'first',
  'first',
  'retry',
  'first',
  'first',
  'replay',
  'first',
  'retry',
  'first',
  'first',
  'retry',
  'first',
];

/** Deals what one endpoint may take out to the classes of its deliveries. */
export class ClassTurns {
  #turn = 0;
  #givenBack: DeliveryClass | null = null;

  /**
   * The class whose turn it is, of those that have something; undefined when none has: then it is still whose turn it was.
   * @param has is asked of one class after the other, until it says yes
   */
  next(has: (kind: DeliveryClass) => boolean): DeliveryClass | undefined {
    const again = this.#givenBack;
    if (again !== null && has(again)) {
      this.#givenBack = null;
      return again;
    }
    const turn = TURNS[this.#turn]!;
    const kind = has(turn) ? turn : CLASSES.find(has);
    if (kind !== undefined) this.#turn = (this.#turn + 1) % TURNS.length;
    return kind;
  }

  /** The class whose turn it was could make no use of it yet: it is next, as soon as it can. */
  giveBack(kind: DeliveryClass): void {
    this.#givenBack = kind;
  }
}
