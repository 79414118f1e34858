import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { parseExactly } from '../routing/exact-number.ts';
import { laneOf } from '../routing/lane-of.ts';
import { TooCostlyToMatch } from '../routing/match-steps.ts';
import { type RoutedEvent, TenantIndex } from '../routing/tenant-index.ts';
import { matchesType } from '../routing/type-pattern.ts';
import { finishCancelledReplays } from '../store/cancel-replay.ts';
import { inTransaction, type Queryable } from '../store/in-transaction.ts';
import { lockRedrives } from '../store/redrive.ts';
import {
  advanceReplay,
  completeReplay,
  countWaiting,
  type HeldReplay,
  holdReplay,
  nextEvents,
  queueDeliveries,
  type ReplayEndpoint,
  type ReplayedEvent,
  replayEndpoints,
  replayedBodies,
  unfinishedReplays,
} from '../store/replay-chunk.ts';
import { restoreKept } from '../store/restore-kept.ts';

export interface ReplayerOptions {
  readonly pool: Context['workerPool'];
  readonly lanes: number;
  /** Wakes the lanes of these endpoints. */
  readonly ringEndpoints: Context['ringEndpoints'];
  readonly onFailure: (error: unknown) => void;
}

/** `moved`: look again at once. `waiting`: all replays wait for deliveries, look again soon. `idle`: there is none. */
export type ReplayProgress = 'moved' | 'waiting' | 'idle';

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

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** Takes each unfinished replay one chunk further, as far as it may. One that fails does not hold the others up. */
  async runOnce(signal?: AbortSignal): Promise<ReplayProgress> {
    let progress: ReplayProgress = 'idle';
    for await (const { num, onlyWaits } of unfinishedReplays(this.#options.pool)) {
      if (progress === 'idle') progress = 'waiting';
      if (signal?.aborted === true) break;
      // There may be thousands of them: a transaction for each would take the time of the others.
      if (!onlyWaits && (await this.#step(num))) progress = 'moved';
    }
    if (progress === 'idle') this.#chunkSizes.clear();
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
    const since = performance.now();
    try {
      const queued = await inTransaction(pool, (client) => this.#advance(client, num, size));
      if (queued === null) return false;
      ringEndpoints(new Set(queued));
      const isLarge = queued.length > LARGE_CHUNK_DELIVERIES || performance.now() - since > LONG_CHUNK_MS;
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

  /** @returns the endpoints of the deliveries that were queued; null when the replay could not move. */
  async #advance(client: Queryable, num: number, size: number): Promise<readonly number[] | null> {
    const replay = await holdReplay(client, num);
    if (replay === null) return null;
    const waiting = await countWaiting(client, num, { open: MAX_OPEN, all: MAX_WAITING });
    if (replay.cursor !== null && replay.cursor >= replay.plan.to) {
      if (waiting.all > 0) return null;
      await completeReplay(client, num);
      return [];
    }
    if (waiting.open >= MAX_OPEN || waiting.all >= MAX_WAITING) return null;
    await lockRedrives(client, replay.tenantNum);
    const { events, cursor } = await nextEvents(client, replay, size);
    const queued = await this.#queue(client, replay, events);
    await advanceReplay(client, num, cursor, queued.length);
    return queued;
  }

  async #queue(client: Queryable, replay: HeldReplay, events: readonly ReplayedEvent[]): Promise<readonly number[]> {
    const { types } = replay.plan;
    const wanted = events.filter(
      ({ type }) => types.length === 0 || types.some((pattern) => matchesType(pattern, type)),
    );
    if (wanted.length === 0) return [];
    const endpoints = await replayEndpoints(client, replay);
    const { reason = null, only = null } = replay.plan;
    const restored = await restoreKept(client, replay.tenantNum, {
      eventUuids: wanted.filter(({ isKept }) => isKept).map(({ uuid }) => uuid),
      endpointNums: endpoints.map(({ num }) => num),
      reason,
      only,
    });
    const nowOf = (uuid: string) => restored.get(uuid) ?? uuid;
    return queueDeliveries(client, replay, {
      again: wanted.map(({ uuid }) => nowOf(uuid)),
      missed: await missedBy(
        client,
        endpoints,
        replay,
        wanted.filter(({ isTest }) => !isTest),
      ),
      only: only === null ? null : only.map((key) => ({ ...key, eventUuid: nowOf(key.eventUuid) })),
      endpoints: endpoints.map(({ num }) => ({ num, lane: laneOf(num, this.#options.lanes) })),
    });
  }
}

/** Events that the replay's one endpoint would get today: if it never had them (disabled then, or made later), it gets them now. */
async function missedBy(
  client: Queryable,
  endpoints: readonly ReplayEndpoint[],
  { plan, tenantNum }: HeldReplay,
  events: readonly ReplayedEvent[],
): Promise<readonly string[]> {
  if (plan.endpointNum === null || plan.status !== null) return [];
  const index = new TenantIndex();
  for (const endpoint of endpoints) index.set(endpoint);
  const missed: string[] = [];
  let sliceEnd = performance.now() + SLICE_MS;
  for (let at = 0; at < events.length; at += BODIES_AT_ONCE) {
    const some = events.slice(at, at + BODIES_AT_ONCE);
    const uuids = some.map(({ uuid }) => uuid);
    const bodies = index.readsContent ? await replayedBodies(client, tenantNum, uuids) : new Map<string, Buffer>();
    const content = (uuid: string) => parseExactly(bodies.get(uuid)?.toString() ?? 'null');
    for (const { uuid, type } of some) {
      if (wouldGet(index, { type, content: () => content(uuid) })) missed.push(uuid);
      if (performance.now() >= sliceEnd) {
        await nextTurn();
        sliceEnd = performance.now() + SLICE_MS;
      }
    }
  }
  return missed;
}

/** Not an event that takes too long to be matched: today it would be refused. */
function wouldGet(index: TenantIndex, event: RoutedEvent): boolean {
  try {
    return index.match(event).length > 0;
  } catch (error) {
    if (error instanceof TooCostlyToMatch) return false;
    throw error;
  }
}

/** Bodies may be large, and a chunk has hundreds of events. */
const BODIES_AT_ONCE = 25;
/** Longest that events are matched at a stretch, the last one to its end: others wait for the event loop. */
const SLICE_MS = 10;
