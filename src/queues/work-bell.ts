import type { Consumer, JobsOptions, Producer, QueueBackend } from './backend.ts';

/** Kinds of work that any worker may do, each with a queue of its own. */
export type WorkKind = 'replays' | 'expansions';

const RING = 'ring';
const LOCK_MS = 30_000;

/**
 * Says that there is work of a kind; it carries nothing. Rings coalesce to at most one that is being answered and one that waits.
 * Losing one costs latency only: the workers look by themselves too.
 */
export class WorkBell {
  readonly #queue: Producer;
  readonly #kind: WorkKind;
  readonly #onError: (error: unknown) => void;
  #isRinging = false;
  #isWanted = false;

  constructor(backend: QueueBackend, kind: WorkKind, onError: (error: unknown) => void) {
    this.#queue = backend.producer(kind);
    this.#kind = kind;
    this.#onError = onError;
  }

  /**
   * Returns at once and never throws. All calls while one ring is on its way make one more ring together, so that they do not pile up as
   * long as Redis was never reached.
   */
  ring(): void {
    this.#isWanted = true;
    if (!this.#isRinging) void this.#send();
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  async #send(): Promise<void> {
    const deduplication = { id: this.#kind, keepLastIfActive: true };
    const options: JobsOptions = { removeOnComplete: true, removeOnFail: true, deduplication };
    this.#isRinging = true;
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#queue.add(RING, {}, options).catch(this.#onError);
    }
    this.#isRinging = false;
  }
}

/** Answers rings, one at a time in this process. */
export function listenForWork(backend: QueueBackend, kind: WorkKind, answer: () => Promise<void>): Consumer {
  // A stall is no failure: a row lock in Postgres decides who may work.
  const options = { concurrency: 1, lockDuration: LOCK_MS, maxStalledCount: 1_000_000, drainDelay: 5 };
  return backend.consumer(kind, answer, options);
}
