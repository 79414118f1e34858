import type { ArrayElement, EventArray } from './path-node.ts';

/**
 * A place of the event where values may stand: the event itself, one of its arrays, or an element of an array. It notes what the clause at
 * hand has to do with it; tests of the clause are bits.
 */
export class Spot {
  readonly around: Spot | null;
  /** Tests that are satisfied by a value which stands here, and not in an array further in. */
  found = 0;
  /** Tests that allow absence, but whose field has a value here. */
  present = 0;
  foundBelow = 0;
  presentBelow = 0;
  /** The first of the spots within this one that the clause has to do with, and the next of those that are within the same one as this. */
  inner: Spot | null = null;
  next: Spot | null = null;
  #round = 0;

  constructor(around: Spot | null) {
    this.around = around;
  }

  /**
   * Called before anything is noted here in a round, which is one clause: forgets what was noted for other clauses, and joins the spots
   * that the clause at hand has to do with. Further calls in the round do nothing.
   */
  enter(round: number): void {
    if (this.#round === round) return;
    this.#round = round;
    this.found = this.present = this.foundBelow = this.presentBelow = 0;
    this.inner = null;
    if (this.around === null) return;
    this.around.enter(round);
    this.next = this.around.inner;
    this.around.inner = this;
  }

  addFound(bit: number): void {
    this.found |= bit;
    // Where the bit is set, it is set in all spots around already.
    for (let at: Spot | null = this; at !== null && (at.foundBelow & bit) === 0; at = at.around) at.foundBelow |= bit;
  }

  addPresent(bit: number): void {
    this.present |= bit;
    for (let at: Spot | null = this; at !== null && (at.presentBelow & bit) === 0; at = at.around) {
      at.presentBelow |= bit;
    }
  }
}

/** The spot of an element; null is the event itself. It is made when it is first asked for, once for an event. */
export function spotOf(element: ArrayElement | null, whole: Spot): Spot {
  if (element === null) return whole;
  element.spot ??= new Spot(spotOfArray(element.array, whole));
  return element.spot;
}

function spotOfArray(array: EventArray, whole: Spot): Spot {
  array.spot ??= new Spot(spotOf(array.within, whole));
  return array.spot;
}
