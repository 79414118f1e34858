import type { ArrayElement, EventArray } from './path-node.ts';

/** The event, an array or an element of it, with what the clause at hand has to do with it. Tests of the clause are bits. */
export class Spot {
  readonly around: Spot | null;
  /** Satisfied by a value that stands here, in no array below. */
  found = 0;
  /** Tests that allow absence, and have any value here. */
  present = 0;
  foundBelow = 0;
  presentBelow = 0;
  /** The first of those within that the clause has to do with, and the next of those around the same. */
  inner: Spot | null = null;
  next: Spot | null = null;
  #round = 0;

  constructor(around: Spot | null) {
    this.around = around;
  }

  /** Forgets what other clauses had to do with it, and joins those that this one has to do with. */
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
    // Where the bit is set it is set all the way up.
    for (let at: Spot | null = this; at !== null && (at.foundBelow & bit) === 0; at = at.around) at.foundBelow |= bit;
  }

  addPresent(bit: number): void {
    this.present |= bit;
    for (let at: Spot | null = this; at !== null && (at.presentBelow & bit) === 0; at = at.around) {
      at.presentBelow |= bit;
    }
  }
}

/** Made when first asked for, and once for an event. */
export function spotOf(element: ArrayElement | null, whole: Spot): Spot {
  if (element === null) return whole;
  element.spot ??= new Spot(spotOfArray(element.array, whole));
  return element.spot;
}

function spotOfArray(array: EventArray, whole: Spot): Spot {
  array.spot ??= new Spot(spotOf(array.within, whole));
  return array.spot;
}
