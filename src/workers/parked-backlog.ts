import type { DueDelivery, ParkedFetch } from '../store/mailbox.ts';
import { START } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { MemoryShares } from './memory-shares.ts';

/** Endpoints whose backlog is read in one statement. */
const DESKS_PER_ROUND = 64;

/** Rows of one endpoint that are read at once at the most: the rest of memory is for others. */
const MAX_REFILL = 256;

/** Which of the desks want more of their parked backlog now: those that may send and have nothing left to, in the order of their turns. */
export function desksToRefill(desks: Iterable<Desk>, isServed: (desk: Desk) => boolean, nowMs: number): Desk[] {
  const chosen: Desk[] = [];
  for (const desk of desks) {
    // What waits for a deleted endpoint is only cancelled: that needs no room at the receiver, which may hold its last request for long.
    if (!desk.hasParked || desk.waiting.length > 0) continue;
    const mayMove = desk.isDeleted || (desk.isOpen(nowMs) && desk.hasRoom(nowMs));
    if (mayMove && isServed(desk)) chosen.push(desk);
  }
  return chosen.sort((a, b) => a.refills - b.refills);
}

export interface Refill {
  readonly desk: Desk;
  readonly fetch: ParkedFetch;
  readonly parkings: number;
}

/**
 * What to read for desks: for each a few rows more than it can send at once, for all of them what memory has room for. Whose tenant has its
 * share does not take another's turn.
 * @param busy endpoints that have rows in memory
 */
export function refillsOf(
  desks: readonly Desk[],
  memory: Pick<MemoryShares, 'ofEndpoint' | 'shareOut'>,
  busy: number,
): Refill[] {
  const refills: Refill[] = [];
  const share = memory.shareOut();
  for (const desk of desks) {
    if (refills.length === DESKS_PER_ROUND) break;
    const cap = desk.target?.maxInFlight ?? 1;
    const wanted = Math.min(2 * cap, MAX_REFILL, Math.ceil(memory.ofEndpoint(cap, busy)));
    const limit = share(desk.tenantNum, wanted);
    if (limit === 0) continue;
    desk.refills++;
    const fetch = { lane: desk.lane, endpointNum: desk.num, after: desk.parkedCursor, limit };
    refills.push({ desk, parkings: desk.parkings, fetch });
  }
  return refills;
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
