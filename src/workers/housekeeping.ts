import type { Context } from '../context.ts';
import { uuidFloor } from '../domain/ids.ts';
import { addMissingEnds } from '../store/add-missing-ends.ts';
import { finishCancelledReplays } from '../store/cancel-replay.ts';
import { dropExpiredIdempotencyKeys } from '../store/drop-expired-idempotency-keys.ts';
import { forgetExpiredSecrets } from '../store/endpoint-secrets.ts';
import type { ExpiredDeliveries } from '../store/expired-counts.ts';
import { forgetSecretsOfDeleted } from '../store/forget-secrets-of-deleted.ts';
import { forgetDeadLetters } from '../store/kept-dead-letters.ts';
import { forgetRejected } from '../store/rejected-messages.ts';
import { resumeStranded } from '../store/resume-stranded.ts';
import { dropOldPartitions, retentionBoundary } from '../store/retention.ts';

export interface HousekeepingOptions {
  readonly pool: Context['workerPool'];
  readonly retentionDays: number;
  /** Counts when it is more than `retentionDays`. */
  readonly deadLetterDays: number;
  readonly idempotencyHours: number;
  /** Called for each duty, with what it changed; null when there was nothing to do. */
  readonly onDone: (duty: HousekeepingDuty, details: Changed) => void;
  /** Called for a duty that another process is at: it is not done yet, and whoever is at it may hang. */
  readonly onLeft: (duty: HousekeepingDuty) => void;
  /** Called with what still waited when its day was dropped. */
  readonly onExpired: (expired: readonly ExpiredDeliveries[]) => void;
  readonly onFailure: (duty: HousekeepingDuty, error: unknown) => void;
}

export type HousekeepingDuty =
  | 'partitions_dropped'
  | 'dead_letters_forgotten'
  | 'rejected_messages_forgotten'
  | 'keys_resumed'
  | 'deliveries_withdrawn'
  | 'ends_added'
  | 'keys_forgotten'
  | 'secrets_forgotten'
  | 'deleted_endpoints_emptied';

/** What a duty changed; null when there was nothing to do. */
type Changed = Record<string, string | number> | null;

/** What it is called, and what does it: 'left' when another process is at it. */
type Duty = readonly [HousekeepingDuty, () => Promise<Changed | 'left'>];

const HOUR_MS = 3_600_000;
/** What a producer is promised is the least: a key is forgotten a little later. */
const GRACE_MS = HOUR_MS;
/** Clocks that are further apart: one of them is wrong, and a wrong one that lets go of the log is not made good by being right later. */
const MOST_APART_MS = 24 * HOUR_MS;

/** Lets go of what is older than it must be kept, and of what a process did not live to let go of. Every process may do so at any time. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /**
   * Drops the days that are old enough, and right after that forgets dead letters, so that a key that paused for a delivery of these days
   * goes on at once where nobody can decide on that delivery any more. This is no duty of `runOnce`: what still waits of these days is
   * ended first, which takes an hour for ten million deliveries, and no other duty is to wait so long. While another process is at it, all
   * of it is left to that one.
   * Nothing is dropped while the clocks are more than a day apart, which is said.
   * @param nowMs Postgres's time
   * @param hostMs this host's
   * @param signal ends it after the statement that is under way
   */
  async dropDays(nowMs: number, hostMs: number, signal?: AbortSignal): Promise<void> {
    const { pool, retentionDays, deadLetterDays, onExpired, onFailure } = this.#options;
    if (areApart(nowMs, hostMs)) {
      onFailure('partitions_dropped', apart(nowMs, hostMs));
      return;
    }
    const drop = () => dropOldPartitions(pool, nowMs, retentionDays, deadLetterDays, { signal, onExpired });
    const result = await this.#do('partitions_dropped', async () => namesOf(await drop()), signal);
    if (result === 'left' || signal?.aborted === true) return;
    const forget = () => forgetDeadLetters(pool, this.#deadLettersUntil(nowMs), signal);
    await this.#do('dead_letters_forgotten', async () => countOf(await forget()), signal);
  }

  /** Does every other duty once, on the same terms; one that fails does not stop the others. That the clocks are apart is not said once more. */
  async runOnce(nowMs: number, hostMs: number, signal?: AbortSignal): Promise<void> {
    if (areApart(nowMs, hostMs)) return;
    const { pool, idempotencyHours } = this.#options;
    const rejectedUntil = this.#deadLettersUntil(nowMs);
    const keysUntil = uuidFloor(nowMs - idempotencyHours * HOUR_MS - GRACE_MS);
    const duties: readonly Duty[] = [
      ['rejected_messages_forgotten', async () => countOf(await forgetRejected(pool, rejectedUntil, signal))],
      ['keys_resumed', async () => countOf(await resumeStranded(pool, signal))],
      ['deliveries_withdrawn', async () => countOf(await finishCancelledReplays(pool, signal))],
      ['secrets_forgotten', async () => countOf(await forgetExpiredSecrets(pool))],
      ['deleted_endpoints_emptied', async () => countOf(await forgetSecretsOfDeleted(pool, signal))],
      // The last: they take their time.
      ['keys_forgotten', async () => countOf(await dropExpiredIdempotencyKeys(pool, keysUntil, signal))],
      ['ends_added', async () => countOf(await addMissingEnds(pool, signal))],
    ];
    for (const [duty, run] of duties) if (signal?.aborted !== true) await this.#do(duty, run, signal);
  }

  #deadLettersUntil(nowMs: number): string {
    const { retentionDays, deadLetterDays } = this.#options;
    return uuidFloor(retentionBoundary(nowMs, Math.max(retentionDays, deadLetterDays)));
  }

  async #do(duty: HousekeepingDuty, run: Duty[1], signal: AbortSignal | undefined): Promise<'left' | 'ended'> {
    try {
      const changed = await run();
      if (changed === 'left') {
        this.#options.onLeft(duty);
        return changed;
      }
      this.#options.onDone(duty, changed);
    } catch (error) {
      // To leave off when told to is no failure.
      if (error !== signal?.reason) this.#options.onFailure(duty, error);
    }
    return 'ended';
  }
}

function areApart(nowMs: number, hostMs: number): boolean {
  return Math.abs(nowMs - hostMs) > MOST_APART_MS;
}

function apart(nowMs: number, hostMs: number): Error {
  const [postgres, host] = [nowMs, hostMs].map((ms) => new Date(ms).toISOString());
  return new Error(
    `By Postgres it is ${postgres}, by this host ${host}. Nothing is dropped or forgotten until they agree to within a day: set the clock that is wrong.`,
  );
}

function namesOf(names: readonly string[] | 'left'): Record<string, string> | null | 'left' {
  if (names === 'left') return names;
  return names.length === 0 ? null : { tables: names.join(',') };
}

function countOf(count: number): Record<string, number> | null {
  return count === 0 ? null : { count };
}
