import type { Consumer, Producer, QueueBackend } from './backend.ts';

const QUEUE = 'replays';
const RING = 'ring';
const LOCK_MS = 30_000;

/**
 * Says that there are replays to make; it carries nothing. Rings coalesce to at most one that is being answered and one that waits.
 * Losing one costs latency only: the workers look by themselves too.
 */
export class ReplayBell {
  readonly #queue: Producer;
  readonly #onError: (error: unknown) => void;

  constructor(backend: QueueBackend, onError: (error: unknown) => void) {
    this.#queue = backend.producer(QUEUE);
    this.#onError = onError;
  }

  /** Returns at once and never throws. */
  ring(): void {
    const deduplication = { id: 'replays', keepLastIfActive: true };
    this.#queue.add(RING, {}, { removeOnComplete: true, removeOnFail: true, deduplication }).catch(this.#onError);
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}

/** Answers rings, one at a time in this process. */
export function listenForReplays(backend: QueueBackend, answer: () => Promise<void>): Consumer {
  // A stall is no failure: the replay's row lock in Postgres decides who may work.
  const options = { concurrency: 1, lockDuration: LOCK_MS, maxStalledCount: 1_000_000, drainDelay: 5 };
  return backend.consumer(QUEUE, answer, options);
}
