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
  /** What a tenant has under way, and when it had its last turn. */
  readonly turnsOf: Turns['of'];
  /** Postgres's clock. */
  readonly nowMs: number;
}

export interface Refill {
  readonly desk: Desk;
  readonly fetch: ParkedFetch;
  readonly parkings: number;
}

/** What to read now for desks that want more of their parked backlog, in turn, beside what they have in memory. */
export function refillsOf(
  desks: Iterable<Desk>,
  { isServed, places, turnsOf, nowMs }: RefillOptions,
): { readonly refills: Refill[]; readonly isAll: boolean } {
  const wanting: Desk[] = [];
  for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) wanting.push(desk);
  if (places !== null) {
    wanting.sort((a, b) => byTurns(turnsOf(a.tenantNum), turnsOf(b.tenantNum)) || a.refills - b.refills);
    const limits = dealOut(wanting, places);
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

/** However many endpoints others have, a tenant that has nothing under way does not wait for the turns of all of them. */
function byTurns(a: ReturnType<Turns['of']>, b: ReturnType<Turns['of']>): number {
  return a.inFlight - b.inFlight || a.last - b.last;
}

/** As many rows as there are slots for, one for each desk in turn. */
function dealOut(desks: readonly Desk[], places: Places): Map<Desk, number> {
  const limits = new Map<Desk, number>();
  let round = desks;
  while (round.length > 0) {
    const again: Desk[] = [];
    for (const desk of round) {
      const limit = limits.get(desk) ?? 0;
      const isFull = limit === 0 ? limits.size >= DESKS_PER_ROUND : limit >= mostOf(desk);
      if (isFull || !(desk.isDeleted || places.take(desk.tenantNum))) continue;
      limits.set(desk, limit + 1);
      again.push(desk);
    }
    round = again;
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
