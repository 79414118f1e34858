import { deliveryIdOf } from '../domain/ids.ts';
import { CLASSES, type DeliveryClass, type DueDelivery, type EventBody } from '../store/mailbox.ts';
import { WeightedClasses } from './weighted-classes.ts';

/** A delivery in the lane's hands, with its event. */
export interface Letter {
  readonly due: DueDelivery;
  readonly body: EventBody;
  /** When it came into memory, in ms of `performance.now()`. */
  readonly admittedAt: number;
  /** When its row was last seen in the mailbox, likewise. */
  checkedAt: number;
  /** Once it was asked for. */
  deliveryId: string | null;
}

export function deliveryIdOfLetter(letter: Letter): string {
  letter.deliveryId ??= deliveryIdOf(letter.due.eventUuid, letter.due.endpointNum);
  return letter.deliveryId;
}

/** What comes by hand starts at the beginning of its schedule, and counts as a first attempt. */
export function classOf({ isReplay, step }: Pick<DueDelivery, 'isReplay' | 'step'>): DeliveryClass {
  if (isReplay) return 'replay';
  return step === 0 ? 'first' : 'retry';
}

/** What waits for one endpoint: a queue for each class, served in weighted turns. */
export class LetterQueue {
  readonly #queues: Record<DeliveryClass, Letter[]> = { first: [], retry: [], replay: [] };
  readonly #turns = new WeightedClasses();
  /** Of the call of `take` under way: one function for all of them, since each delivery has one. */
  #mayBegin: (kind: DeliveryClass) => boolean = () => false;
  readonly #has = (kind: DeliveryClass) => this.#queues[kind].length > 0 && this.#mayBegin(kind);

  get length(): number {
    return this.#queues.first.length + this.#queues.retry.length + this.#queues.replay.length;
  }

  lengthOf(kind: DeliveryClass): number {
    return this.#queues[kind].length;
  }

  /** The one that came into memory first. Asked of very many endpoints at once: it allocates nothing. */
  get oldest(): Letter | undefined {
    let oldest: Letter | undefined;
    for (const kind of CLASSES) {
      const head = this.#queues[kind][0];
      if (head !== undefined && !(oldest !== undefined && oldest.admittedAt <= head.admittedAt)) oldest = head;
    }
    return oldest;
  }

  push(letter: Letter): void {
    this.#queues[classOf(letter.due)].push(letter);
  }

  /** Puts one back that was taken and not sent: its class keeps its turn. */
  putBack(letter: Letter): void {
    const kind = classOf(letter.due);
    this.#queues[kind].unshift(letter);
    this.#turns.giveBack(kind);
  }

  /** The next one of a class that may be sent now; undefined when there is none. */
  take(mayBegin: (kind: DeliveryClass) => boolean): Letter | undefined {
    this.#mayBegin = mayBegin;
    const kind = this.#turns.next(this.#has);
    return kind === undefined ? undefined : this.#queues[kind].shift();
  }

  /** Takes out those that a test picks, or all. */
  remove(isPicked: (letter: Letter) => boolean = () => true): Letter[] {
    const removed: Letter[] = [];
    for (const kind of CLASSES) {
      const kept: Letter[] = [];
      for (const letter of this.#queues[kind]) (isPicked(letter) ? removed : kept).push(letter);
      this.#queues[kind] = kept;
    }
    return removed;
  }

  *[Symbol.iterator](): Iterator<Letter> {
    for (const kind of CLASSES) yield* this.#queues[kind];
  }
}
