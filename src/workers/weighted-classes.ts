import { CLASSES, type DeliveryClass } from '../store/mailbox.ts';

/**
 * Whose turn it is, of twelve: eight first attempts, three retries, one replay. A class with nothing to send leaves its turn to the
 * others, so that no class is ever pushed out by another, and none waits for an idle one.
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

/** Divides what one endpoint may take among the classes of its deliveries. */
export class WeightedClasses {
  #turn = 0;
  #givenBack: DeliveryClass | null = null;

  /**
   * The class whose turn it is, among those that have something to send; undefined when none has, and then no turn is spent.
   * @param has asked of one class after the other, until it says yes
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

  /** This class could make no use of its turn yet: it is next, as soon as it can. */
  giveBack(kind: DeliveryClass): void {
    this.#givenBack = kind;
  }
}
