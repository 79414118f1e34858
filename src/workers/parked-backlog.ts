import type { DueDelivery, ParkedFetch } from '../store/mailbox.ts';
import { START } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';

/** Endpoints whose backlog is read in one statement. */
const DESKS_PER_ROUND = 64;

/** Rows of one endpoint that are read at once at the most: the rest of memory is for others. */
const MAX_REFILL = 256;

/** Which of the desks get more of their parked backlog now: those that want it, in turn. */
export function desksToRefill(desks: Iterable<Desk>, isServed: (desk: Desk) => boolean, nowMs: number): Desk[] {
  const chosen: Desk[] = [];
  for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) chosen.push(desk);
  if (chosen.length > DESKS_PER_ROUND) {
    chosen.sort((a, b) => a.refills - b.refills);
    chosen.length = DESKS_PER_ROUND;
  }
  return chosen;
}

export interface Refill {
  readonly desk: Desk;
  readonly fetch: ParkedFetch;
  readonly parkings: number;
}

/** What to read for a desk, beside what it has in memory: a few rows more than it can send at once. */
export function refillOf(desk: Desk): Refill {
  const limit = Math.min(2 * Math.max(1, desk.appetite), MAX_REFILL);
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
