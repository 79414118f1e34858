import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { uuidFloor } from '../domain/ids.ts';
import { laneOf } from '../routing/lane-of.ts';
import { matchesType } from '../routing/type-pattern.ts';
import { finishCancelledReplays } from '../store/cancel-replay.ts';
import { inTransaction, type Queryable } from '../store/in-transaction.ts';
import { lockRedrives } from '../store/redrive.ts';
import {
  advanceReplay,
  completeReplay,
  type HeldReplay,
  holdReplay,
  nextEvents,
  queueDeliveries,
  type ReplayedEvent,
  replayEndpoints,
  unfinishedReplays,
  waitsWith,
} from '../store/replay-chunk.ts';
import { restoreKept } from '../store/restore-kept.ts';
import { countSkipped } from '../store/skipped-deliveries.ts';
import { missedBy } from './missed-by.ts';

export interface ReplayerOptions {
  readonly pool: Context['workerPool'];
  readonly lanes: number;
  /** Wakes the lanes of these endpoints. */
  readonly ringEndpoints: Context['ringEndpoints'];
  readonly onFailure: (error: unknown) => void;
  /** A clock that only goes on. */
  readonly nowMs?: () => number;
}

/** `moved`: look again at once. `waiting`: all replays wait for deliveries, look again soon. `idle`: there is none. */
export type ReplayProgress = 'moved' | 'waiting' | 'idle';

interface Chunk {
  /** The endpoints of the deliveries that were queued. */
  readonly queued: readonly number[];
  /** When the tenant's redrives were locked, by the replayer's clock. */
  readonly lockedMs: number;
}

interface Queued {
  readonly queued: readonly number[];
  /** Deliveries that were left out because their endpoints are disabled. */
  readonly skipped: number;
}

const MAX_CHUNK_EVENTS = 500;
const FIRST_CHUNK_EVENTS = 50;
/** A chunk that queued more than this makes the next one smaller. */
const LARGE_CHUNK_DELIVERIES = 1_000;
/** So does one that took longer: as long as that the replay and its tenant's redrives are locked. */
const LONG_CHUNK_MS = 1_000;
/** Deliveries of one replay that may stand in the lanes at once: what keeps a replay behind live traffic. */
const MAX_OPEN = 500;
/** Those that may wait in all, with the ones that were parked because their endpoint takes no more. */
const MAX_WAITING = 50_000;
/** How long a replay with so many is left alone, at first and when it cannot move again and again: counting them takes tens of milliseconds each time. */
const FIRST_HOLD_MS = 1_000;
const LONGEST_HOLD_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Makes replays happen, chunk by chunk. A chunk's deliveries and the replay's progress are one transaction under the replay's row lock:
 * however many workers run, and wherever one dies, each delivery is queued once.
 */
export class Replayer {
  readonly #options: ReplayerOptions;
  /** Events of the next chunk, by replay: an event may have one delivery or thousands. */
  readonly #chunkSizes = new Map<number, number>();
  /** Replays with as many deliveries waiting as may: they are left alone until then. */
  readonly #holds = new Map<number, { readonly untilMs: number; readonly lengthMs: number }>();
  readonly #nowMs: () => number;

  constructor(options: ReplayerOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Takes each unfinished replay one chunk further, as far as it may. One that fails does not hold the others up. */
  async runOnce(signal?: AbortSignal): Promise<ReplayProgress> {
    let progress: ReplayProgress = 'idle';
    for await (const { num, onlyWaits } of unfinishedReplays(this.#options.pool)) {
      if (progress === 'idle') progress = 'waiting';
      if (signal?.aborted === true) break;
      // There may be thousands of them: a transaction for each would take the time of the others.
      if (!onlyWaits && !this.#isHeld(num) && (await this.#step(num))) progress = 'moved';
    }
    if (progress === 'idle') {
      this.#chunkSizes.clear();
      this.#holds.clear();
    }
    return progress;
  }

  /** Works until nothing is left to do, the signal fires, or `budgetMs` is spent. */
  async drain(signal: AbortSignal, budgetMs: number): Promise<void> {
    const end = performance.now() + budgetMs;
    let pauseMs = FIRST_PAUSE_MS;
    // Its state says already that it makes nothing more.
    await finishCancelledReplays(this.#options.pool, signal).catch(this.#options.onFailure);
    while (!signal.aborted && performance.now() < end) {
      const progress = await this.runOnce(signal);
      if (progress === 'idle') return;
      if (progress === 'waiting') await sleep(pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = progress === 'waiting' ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    }
  }

  async #step(num: number): Promise<boolean> {
    const { pool, onFailure, ringEndpoints } = this.#options;
    const size = this.#chunkSizes.get(num) ?? FIRST_CHUNK_EVENTS;
    try {
      const chunk = await inTransaction(pool, (client) => this.#advance(client, num, size));
      if (chunk === null) return false;
      this.#holds.delete(num);
      const { queued, lockedMs } = chunk;
      ringEndpoints(new Set(queued));
      const isLarge = queued.length > LARGE_CHUNK_DELIVERIES || this.#nowMs() - lockedMs > LONG_CHUNK_MS;
      const next = isLarge ? size >> 1 : size * 2;
      this.#chunkSizes.set(num, Math.min(Math.max(1, next), MAX_CHUNK_EVENTS));
      return true;
    } catch (error) {
      // Too much for one statement, perhaps: one event is the least that can be asked for.
      this.#chunkSizes.set(num, 1);
      onFailure(error);
      return false;
    }
  }

  /** @returns null when the replay could not move */
  async #advance(client: Queryable, num: number, size: number): Promise<Chunk | null> {
    const replay = await holdReplay(client, num);
    if (replay === null) return null;
    if (replay.cursor !== null && replay.cursor >= replay.plan.to) {
      if (await waitsWith(client, num, 1, 'all')) return null;
      await completeReplay(client, num);
      return { queued: [], lockedMs: this.#nowMs() };
    }
    if (await waitsWith(client, num, MAX_OPEN, 'open')) return null;
    if (await waitsWith(client, num, MAX_WAITING, 'all')) {
      this.#hold(num);
      return null;
    }
    await lockRedrives(client, replay.tenantNum);
    // What it waited for until here is nothing that a smaller chunk would spare.
    const lockedMs = this.#nowMs();
    const { events, cursor } = await nextEvents(client, replay, size);
    const { queued, skipped } = await this.#queue(client, replay, events);
    await advanceReplay(client, num, cursor, { queued: queued.length, skipped });
    return { queued, lockedMs };
  }

  #hold(num: number): void {
    const last = this.#holds.get(num);
    const lengthMs = last === undefined ? FIRST_HOLD_MS : Math.min(last.lengthMs * 2, LONGEST_HOLD_MS);
    this.#holds.set(num, { untilMs: this.#nowMs() + lengthMs, lengthMs });
  }

  #isHeld(num: number): boolean {
    return this.#nowMs() < (this.#holds.get(num)?.untilMs ?? 0);
  }

  async #queue(client: Queryable, replay: HeldReplay, events: readonly ReplayedEvent[]): Promise<Queued> {
    const { types } = replay.plan;
    const wanted = events.filter(
      ({ type }) => types.length === 0 || types.some((pattern) => matchesType(pattern, type)),
    );
    if (wanted.length === 0) return { queued: [], skipped: 0 };
    const { open, disabled } = await replayEndpoints(client, replay);
    const { reason = null, only = null } = replay.plan;
    const restored = await restoreKept(client, replay.tenantNum, {
      eventUuids: wanted.filter(({ isKept }) => isKept).map(({ uuid }) => uuid),
      endpointNums: open,
      reason,
      only,
    });
    const nowOf = (uuid: string) => restored.get(uuid) ?? uuid;
    const nowOnly = only === null ? null : only.map((key) => ({ ...key, eventUuid: nowOf(key.eventUuid) }));
    const queued = await queueDeliveries(client, replay, {
      again: wanted.map(({ uuid }) => nowOf(uuid)),
      only: nowOnly,
      missed: await missedBy(
        client,
        replay,
        wanted.filter(({ isTest }) => !isTest),
      ),
      endpoints: open.map((num) => ({ num, lane: laneOf(num, this.#options.lanes) })),
    });
    // Of a day that is half dropped an event is found in the log and where it is kept, and may have become one and the same by now.
    const counted = new Set(wanted.filter(({ uuid }) => uuid < firstSince(replay)).map(({ uuid }) => nowOf(uuid)));
    return { queued, skipped: await countSkipped(client, replay, { again: [...counted], only: nowOnly }, disabled) };
  }
}

/**
 * The least UUID of what was brought back since the replay was made. The replay may meet it again, where it was brought back in the very
 * millisecond: what is left out of it was counted under its old UUID. A time is rounded where a UUID's is cut off.
 */
function firstSince({ createdMs }: HeldReplay): string {
  return uuidFloor(createdMs - 1);
}
