import { uuidTime } from '../domain/ids.ts';
import { staysInMailbox } from '../domain/outcome.ts';
import { isFaultOfData, isOfDroppedDay } from '../store/data-errors.ts';
import type { GivenUp } from '../store/give-up.ts';
import type { LaneLease } from '../store/lanes.ts';
import { startOfDay } from '../store/partitions.ts';
import type { SettledAttempt } from '../store/settle.ts';

export interface SettlerOptions {
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly write: (leases: readonly LaneLease[], attempts: readonly SettledAttempt[]) => Promise<ReadonlySet<number>>;
  /** The lease that this process has for a lane now; undefined when it lost it. */
  readonly leaseOf: (lane: number) => LaneLease | undefined;
  /** Ends a delivery whose attempt Postgres refuses for what is in it: kept, it would be made for ever. */
  readonly giveUp: (attempt: SettledAttempt, reason: string) => Promise<Pick<GivenUp, 'mayPauseKey'>>;
  /** Ends deliveries whose attempts Postgres refuses because the day of their events is gone. */
  readonly endDeliveriesOfDroppedDays: (attempts: readonly SettledAttempt[]) => Promise<void>;
  /** Called once for every attempt, written or given up: `isWritten` is false when its lane is not ours any more. */
  readonly onSettled: (attempt: SettledAttempt, isWritten: boolean) => void;
  readonly onFailure: (error: unknown, attempts: number) => void;
}

const MAX_BATCH = 500;
/** A response body is at most 16 KiB, so this bounds a statement to a few MB. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const DAY_MS = 86_400_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Writes attempts in batches, one statement at a time: what ends while one is on its way goes with the next. Attempts stay here until
 * they are written, however long Postgres is away; what is in flight bounds how many there can be.
 */
export class Settler {
  readonly #options: SettlerOptions;
  #queue: SettledAttempt[] = [];
  #running: Promise<void> | null = null;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Attempts that are not written yet. */
  get size(): number {
    return this.#queue.length;
  }

  add(attempt: SettledAttempt): void {
    this.#queue.push(attempt);
    this.#running ??= this.#run();
  }

  /** Resolves when everything added so far is written. */
  async drain(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever else this turn of the event loop brings joins the batch.
    await new Promise((resolve) => setImmediate(resolve));
    let pauseMs = FIRST_PAUSE_MS;
    while (this.#queue.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.#writeBatch(batch);
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        this.#options.onFailure(error, batch.length);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
    this.#running = null;
  }

  #nextBatch(): SettledAttempt[] {
    let bytes = 0;
    let count = 0;
    for (const { outcome } of this.#queue) {
      bytes += 'response' in outcome ? outcome.response.body.length : 0;
      if (count > 0 && (count >= MAX_BATCH || bytes > MAX_BATCH_BYTES)) break;
      count++;
    }
    return this.#queue.slice(0, count);
  }

  /** The batch is what the queue begins with; parts of it leave one by one, so that none is reported again when another fails. */
  async #writeBatch(batch: readonly SettledAttempt[]): Promise<void> {
    const leases = this.#leasesOf(batch);
    let held: ReadonlySet<number> = new Set();
    try {
      if (leases.size > 0) held = await this.#options.write([...leases.values()], batch);
    } catch (error) {
      if (!isFaultOfData(error)) throw error;
      if (isOfDroppedDay(error)) await this.#writeByDay(batch, error);
      else await this.#writeHalves(batch, error);
      return;
    }
    this.#leave(batch, (attempt) => held.has(attempt.lane));
  }

  #leasesOf(batch: readonly SettledAttempt[]): ReadonlyMap<number, LaneLease> {
    const leases = new Map<number, LaneLease>();
    for (const { lane } of batch) {
      const lease = this.#options.leaseOf(lane);
      if (lease !== undefined) leases.set(lane, lease);
    }
    return leases;
  }

  /** A batch that Postgres refuses for what is in it is halved until the row at fault stands alone; that one is given up, loudly. */
  async #writeHalves(batch: readonly SettledAttempt[], error: unknown): Promise<void> {
    if (batch.length > 1) {
      const middle = batch.length >> 1;
      await this.#writeBatch(batch.slice(0, middle));
      await this.#writeBatch(batch.slice(middle));
      return;
    }
    this.#options.onFailure(error, 1);
    const ended = endedAs(batch[0]!, await this.#options.giveUp(batch[0]!, (error as { code: string }).code));
    this.#leave([ended], (attempt) => this.#options.leaseOf(attempt.lane) !== undefined);
  }

  /** Days are dropped while deliveries of them are made, thousands at a time: halved, each would take several statements. */
  async #writeByDay(batch: readonly SettledAttempt[], error: unknown): Promise<void> {
    const days = [...Map.groupBy(batch, ({ eventUuid }) => startOfDay(uuidTime(eventUuid))).values()];
    if (days.length > 1) {
      this.#queue.splice(0, batch.length, ...days.flat());
      for (const day of days) await this.#writeBatch(day);
      return;
    }
    const { nowMs, onFailure, endDeliveriesOfDroppedDays } = this.#options;
    // Yesterday and today are always kept: one of these is missing, and will be made again.
    const [attempt] = batch;
    if (uuidTime(attempt!.eventUuid) >= startOfDay(nowMs()) - DAY_MS) {
      // Those of other days go before.
      this.#queue.push(...this.#queue.splice(0, batch.length));
      throw error;
    }
    onFailure(error, batch.length);
    await endDeliveriesOfDroppedDays(batch);
    // Whether its key waits for it, redriven in vain, the table knows.
    const ended = batch.map((attempt) => endedAs(attempt, { mayPauseKey: attempt.decision.kind !== 'done' }));
    this.#leave(ended, (attempt) => this.#options.leaseOf(attempt.lane) !== undefined);
  }

  #leave(batch: readonly SettledAttempt[], isWritten: (attempt: SettledAttempt) => boolean): void {
    this.#queue.splice(0, batch.length);
    for (const attempt of batch) this.#options.onSettled(attempt, isWritten(attempt));
  }
}

/** It is over, whatever was decided before. */
function endedAs(attempt: SettledAttempt, { mayPauseKey }: Pick<GivenUp, 'mayPauseKey'>): SettledAttempt {
  return staysInMailbox(attempt.decision)
    ? { ...attempt, decision: { kind: 'dead_letter' }, mayPauseKey }
    : { ...attempt, mayPauseKey };
}
