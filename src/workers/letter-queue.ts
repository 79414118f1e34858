import { deliveryIdOf } from '../domain/ids.ts';
import type { DueDelivery, EventBody } from '../store/mailbox.ts';

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

/** First attempts, retries, and what a replay queued. */
export type LetterClass = 'first' | 'retry' | 'replay';

/**
 * Whose turn it is, of twelve: eight first attempts, three retries, one replay. A class with nothing to send leaves its turn to the
 * others, so that none is ever pushed out by another and none waits for nothing.
 */
const TURNS: readonly LetterClass[] = [
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

export const CLASSES: readonly LetterClass[] = ['first', 'retry', 'replay'];

/** What comes by hand starts at the beginning of its schedule, and counts as a first attempt. */
export function classOf({ isReplay, step }: Pick<DueDelivery, 'isReplay' | 'step'>): LetterClass {
  if (isReplay) return 'replay';
  return step === 0 ? 'first' : 'retry';
}

/** What waits for one endpoint: a queue for each class, served in weighted turns. */
export class LetterQueue {
  readonly #queues: Record<LetterClass, Letter[]> = { first: [], retry: [], replay: [] };
  #turn = 0;

  get length(): number {
    return this.#queues.first.length + this.#queues.retry.length + this.#queues.replay.length;
  }

  lengthOf(kind: LetterClass): number {
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

  /** Puts one back that was taken and not sent. */
  putBack(letter: Letter): void {
    this.#queues[classOf(letter.due)].unshift(letter);
  }

  /** The next one of a class that may be sent now; undefined when there is none. */
  take(mayBegin: (kind: LetterClass) => boolean): Letter | undefined {
    const turn = TURNS[this.#turn]!;
    this.#turn = (this.#turn + 1) % TURNS.length;
    const queue = this.#servable(turn, mayBegin) ?? this.#any(mayBegin);
    return queue?.shift();
  }

  #any(mayBegin: (kind: LetterClass) => boolean): Letter[] | undefined {
    for (const kind of CLASSES) {
      const queue = this.#servable(kind, mayBegin);
      if (queue !== undefined) return queue;
    }
    return undefined;
  }

  #servable(kind: LetterClass, mayBegin: (kind: LetterClass) => boolean): Letter[] | undefined {
    const queue = this.#queues[kind];
    return queue.length > 0 && mayBegin(kind) ? queue : undefined;
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
