import type { Consumer, JobsOptions, Producer, QueueBackend } from './backend.ts';

const QUEUE = 'lanes';
const RING = 'ring';
const TIMER = 'timer';

/**
 * Least time between two rings of one lane, in ms. A lane that was rung stays awake for longer than this and looks by itself, so that a
 * ring meanwhile would tell it nothing. If one was asked for meanwhile, it is sent afterwards all the same.
 */
const RING_INTERVAL_MS = 100;

const MAX_TIMERS_UNDER_WAY = 1_000;

/** Longest that the processing of a ring may go unnoticed after its worker died, in ms. */
const LOCK_MS = 6_000;

/**
 * Wakes sleeping lanes. A ring carries nothing but the lane's number; rings of one lane coalesce to at most one that is being
 * answered and one that waits. Losing one costs latency only: the sweeper looks after lanes that nobody rang.
 */
export class Doorbell {
  readonly #queue: Producer;
  readonly #onError: (error: unknown) => void;
  readonly #pending = new Set<number>();
  readonly #rungAt = new Map<number, number>();
  #sending = false;
  #endPause: () => void = () => {};
  #closed = false;
  #timersUnderWay = 0;

  constructor(backend: QueueBackend, onError: (error: unknown) => void) {
    this.#queue = backend.producer(QUEUE);
    this.#onError = onError;
  }

  /** Returns at once and never throws. */
  ring(lanes: Iterable<number>): void {
    let isReady = false;
    for (const lane of lanes) {
      this.#pending.add(lane);
      isReady ||= this.#isReady(lane, performance.now());
    }
    if (isReady) this.#endPause();
    if (!this.#sending && !this.#closed && this.#pending.size > 0) void this.#send();
  }

  /**
   * Rings a lane later. Timers have a deduplication id of their own: a delayed ring kept while the lane is awake would overwrite an
   * immediate one. The last call for a lane holds, whether it is earlier or later.
   */
  ringIn(lane: number, delayMs: number): void {
    const options: JobsOptions = {
      ...EPHEMERAL,
      delay: Math.ceil(delayMs),
      deduplication: { id: `timer-${lane}`, reschedule: true },
    };
    // As long as Redis was never reached, no `add` is ever done: they must not pile up.
    if (this.#timersUnderWay >= MAX_TIMERS_UNDER_WAY) return;
    this.#timersUnderWay++;
    const done = () => {
      this.#timersUnderWay--;
    };
    this.#queue.add(TIMER, { lane }, options).catch(this.#onError).finally(done);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.close();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    while (this.#pending.size > 0 && !this.#closed) {
      const now = performance.now();
      const ready = [...this.#pending].filter((lane) => this.#isReady(lane, now));
      if (ready.length === 0) {
        await this.#pause();
        continue;
      }
      for (const lane of ready) {
        this.#pending.delete(lane);
        this.#rungAt.set(lane, now);
      }
      await this.#queue
        .addBulk(ready.map((lane) => ({ name: RING, data: { lane }, opts: ringOptions(lane) })))
        .catch(this.#onError);
    }
    this.#sending = false;
  }

  #isReady(lane: number, now: number): boolean {
    return now - (this.#rungAt.get(lane) ?? Number.NEGATIVE_INFINITY) >= RING_INTERVAL_MS;
  }

  /** Waits for a part of the interval, or until `ring` is called with a lane that may be rung at once. */
  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, RING_INTERVAL_MS / 4);
    this.#endPause = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }
}

/** Jobs are removed from the queue when they end. */
const EPHEMERAL: JobsOptions = { removeOnComplete: true, removeOnFail: true };

function ringOptions(lane: number): JobsOptions {
  return { ...EPHEMERAL, deduplication: { id: `lane-${lane}`, keepLastIfActive: true, reschedule: true } };
}

/**
 * Answers rings: `answer(lane)` resolves when the lane is given back, so that no second ring of it is answered meanwhile.
 * @param concurrency how many lanes this process may hold at once
 */
export function listenForRings(
  backend: QueueBackend,
  doorbell: Doorbell,
  concurrency: number,
  answer: (lane: number) => Promise<void>,
): Consumer {
  return backend.consumer(
    QUEUE,
    async (job) => {
      const { lane } = job.data as { lane?: unknown };
      if (typeof lane !== 'number' || !Number.isInteger(lane)) return;
      if (job.name === TIMER) doorbell.ring([lane]);
      else await answer(lane);
    },
    // A stall is no failure here: the lane's lease in Postgres decides who may work.
    { concurrency, lockDuration: LOCK_MS, stalledInterval: LOCK_MS / 2, maxStalledCount: 1_000_000, drainDelay: 5 },
  );
}
