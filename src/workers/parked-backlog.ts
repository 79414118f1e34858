import type { DueDelivery, ParkedFetch } from '../store/mailbox.ts';
import { START } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Places, Turns } from './turns.ts';

/** Endpoints whose backlog is read in one statement. */
const DESKS_PER_ROUND = 64;

/** Rows of one endpoint that are read at once at the most: the rest of memory is for others. */
const MAX_REFILL = 256;

export interface RefillOptions {
  readonly isServed: (desk: Desk) => boolean;
  /** Where rows come only as slots are free for them; null otherwise. */
  readonly places: Places | null;
  readonly turns: Pick<Turns, 'of'>;
  /** Postgres's clock. */
  readonly nowMs: number;
}

export interface Refill {
  readonly desk: Desk;
  readonly fetch: ParkedFetch;
  readonly parkings: number;
}

interface Refills {
  readonly refills: Refill[];
  /** Whether each of those that want more gets some. */
  readonly isAll: boolean;
}

/** What to read now for desks that want more of their parked backlog, in turn, beside what they have in memory. */
export function refillsOf(desks: Iterable<Desk>, options: RefillOptions): Refills {
  const { isServed, places, nowMs } = options;
  const wanting: Desk[] = [];
  for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) wanting.push(desk);
  if (places !== null) {
    const limits = dealOut(wanting, places, options);
    return {
      refills: [...limits].map(([desk, limit]) => refillOf(desk, limit)),
      isAll: limits.size === wanting.length,
    };
  }
  if (wanting.length > DESKS_PER_ROUND) {
    wanting.sort((a, b) => a.refills - b.refills);
    wanting.length = DESKS_PER_ROUND;
  }
  return { refills: wanting.map((desk) => refillOf(desk, mostOf(desk))), isAll: true };
}

/**
 * As many rows as there are slots for: one for each tenant in turn, and within a tenant one for each desk in turn. However many endpoints others have, a tenant
 * that has nothing under way does not wait for the turns of all of them. What waits for a deleted endpoint is only cancelled, and needs no slot.
 */
function dealOut(wanting: readonly Desk[], places: Places, { turns, nowMs }: RefillOptions): Map<Desk, number> {
  const limits = new Map<Desk, number>();
  let round = [...Map.groupBy(wanting, (desk) => desk.tenantNum)]
    .map(([num, desks]) => ({ num, desks, at: 0, turn: turns.of(num) }))
    .sort((a, b) => a.turn.inFlight - b.turn.inFlight || a.turn.last - b.turn.last);
  while (round.length > 0) {
    round = round.filter((tenant) => {
      const { num, desks, at } = tenant;
      if (at === 0) desks.sort((a, b) => a.refills - b.refills);
      const desk = desks[at % desks.length]!;
      const limit = limits.get(desk) ?? 0;
      const most = desk.isDeleted ? mostOf(desk) : Math.min(desk.places(nowMs), MAX_REFILL);
      const isFull = limit === 0 ? limits.size >= DESKS_PER_ROUND : limit >= most;
      if (isFull || !(desk.isDeleted || places.take(num))) return false;
      limits.set(desk, limit + 1);
      tenant.at++;
      return true;
    });
  }
  return limits;
}

/** A few rows more than it can send at once. */
function mostOf(desk: Desk): number {
  return Math.min(2 * Math.max(1, desk.appetite), MAX_REFILL);
}

function refillOf(desk: Desk, limit: number): Refill {
  desk.refills++;
  return {
    desk,
    parkings: desk.parkings,
    fetch: { lane: desk.lane, endpointNum: desk.num, after: desk.parkedCursor, limit },
  };
}

/** Takes note of what a refill brought. */
export function refilled({ desk, fetch, parkings }: Refill, rows: readonly DueDelivery[]): void {
  // Something was parked while we read: what was read says nothing about it.
  if (desk.parkings !== parkings) return;
  const ours = rows.filter((row) => row.endpointNum === desk.num);
  const isWhole = ours.length < fetch.limit;
  // A read that began at the start and came to the end has seen every parked row: all of them are in memory now.
  if (isWhole && fetch.after === START) {
    desk.hasParked = false;
    desk.flood = null;
  }
  desk.parkedCursor = isWhole ? START : (ours.at(-1) ?? START);
}
