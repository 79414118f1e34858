import type { LaneLease } from '../store/lanes.ts';
import type { Cursor, DueDelivery, LaneFetch } from '../store/mailbox.ts';
import { LaneCursor } from './lane-cursor.ts';
import { type Depth, LookBacks } from './look-backs.ts';
import { PastLooks } from './past-looks.ts';
import { StartReads } from './start-reads.ts';
import { Sweep } from './sweep.ts';

/** How long an idle lane lingers before it is given back, in ms. */
const LINGER_MS = 250;
/** How often an awake lane looks for rows that nobody woke it for, in ms: while it is busy, and when it has been quiet. */
const BUSY_POLL_MS = 10;
const QUIET_POLL_MS = 100;
/** Rows of a careful lane that are in memory before it fetches more: what waits there for its trial keeps others from their slots. */
const CAREFUL_ROWS = 16;
/** The longest that a lane is not read because it is to be given back, in ms: until the requests under way have ended. */
const LONGEST_DRAIN_MS = 125_000;
/** How often a lane's parked endpoints are looked for anew, in ms: rarely, where they are so many that looking takes long. */
const EXPLORE_MS = 10_000;
const EXPLORE_MS_PER_ENDPOINT = 20;

/** What a fetch brought for one lane. */
interface Fetched {
  /** Without those that were in memory when it began. */
  readonly rows: readonly DueDelivery[];
  readonly fresh: number;
  readonly limit: number;
  /** See `DueRows`. */
  readonly stop?: Cursor | undefined;
}

/** One lane in this process's hands, from its acquisition to its release. */
export class Lane {
  readonly lease: LaneLease;
  /** Resolves when the lane is given back or lost. */
  readonly released: Promise<void>;
  readonly resolveReleased: () => void;
  /** Whether it is served carefully, a few rows at a time. */
  isCareful = false;
  isDraining = false;
  /** When that began, in ms of `performance.now()`. */
  drainingSince: number | null = null;
  /** Whether it is being given back: somebody else may have it before this process hears so. */
  isLeaving = false;
  /** When the lease was last asked for, in ms of `performance.now()`: it lasts from then on at the least. */
  renewedAt: number;
  /** Rows in memory: waiting, under way, or not settled yet. */
  rowsInMemory = 0;
  /** When stranded rows were looked for, in ms of `performance.now()`. */
  strandedAt = Number.NEGATIVE_INFINITY;
  readonly looks = new PastLooks();
  /** Through the rows of endpoints that are flooded, which are parked unread. */
  readonly flood = new Sweep();
  #exploreAt = 0;
  #wantsFetch = true;
  readonly #cursor = new LaneCursor();
  /** The last row of a part that was read, where there may be more in it. */
  #partEnd: Cursor | null = null;
  /** Whether it was to be read from the start in parts when the last fetch began. */
  #isInParts = false;
  #fetchedAt = 0;
  #isFetching = false;
  readonly #lookBacks = new LookBacks();
  #foundAt: number;
  /** When rows came from memory last. */
  #handedAt = Number.NEGATIVE_INFINITY;
  /** Whether the last fetch brought all that was due. */
  #isComplete = false;
  /** Whether it did so for all tenants but those that have their share of memory. */
  #isWhole = false;
  /** When the last one began that did, and whose rows were taken in. */
  #readAt: number;
  /** Whether it fell behind since the last fetch began, which then says nothing of it. */
  #fellMeanwhile = false;
  /** Whether rows that are due may wait in the table: none was read yet, or not all of them were taken in. */
  #hasUnreadDue = true;
  #isContinuing = false;
  /** Whether the lane had rows in memory when the last fetch began. */
  #leavesOut = false;
  #isQuiet = false;
  /** Whether new rows were announced since the last fetch began. */
  #isCalled = false;

  /** @param renewedAt when the lease was asked for */
  constructor(lease: LaneLease, now: number, renewedAt = now) {
    this.lease = lease;
    this.renewedAt = renewedAt;
    this.#foundAt = now;
    this.#readAt = now;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.resolveReleased = resolve;
  }

  get number(): number {
    return this.lease.lane;
  }

  /** Whether it wants to fetch, and may: a careful lane with rows in memory may not. */
  get mayFetch(): boolean {
    return this.#wantsFetch && !(this.isCareful && this.rowsInMemory >= CAREFUL_ROWS);
  }

  /** New rows were announced. */
  wake(): void {
    this.#wantsFetch = true;
    this.#isQuiet = false;
    this.#isCalled = true;
  }

  /** Whether new rows may come from memory: not before those that wait in the table. */
  get takesFromMemory(): boolean {
    return !this.isDraining && !this.isLeaving && !this.isCareful && !this.#hasUnreadDue;
  }

  /** Rows came from memory. */
  onHandedRows(now: number): void {
    this.#handedAt = now;
    this.#isQuiet = false;
  }

  /**
   * What the last fetch brought was taken in, or returned to the table.
   * @returns how long the lane took to be read from the start in parts, in ms, where that is done now; else null
   */
  onFetchAdmitted(now = this.#fetchedAt): number | null {
    // A part says nothing of what is behind the cursor.
    if (this.depth === 'part') return this.#lookBacks.onPartAdmitted(this.#partEnd, now);
    this.#hasUnreadDue = !this.#isComplete || this.#fellMeanwhile || this.#lookBacks.isOwed;
    if (this.#isWhole) this.#readAt = this.#fetchedAt;
    return null;
  }

  /** The same where it was not, or not all of it. The cursor is behind what was read. */
  onFetchNotAdmitted(): void {
    if (!this.#isInParts) {
      this.lookBack();
      return;
    }
    // Parts come to it late: rather than that the cursor goes back. What was a part is read again.
    if (this.depth !== 'part') this.#cursor.goBack();
    this.fellBehind();
  }

  /** For how long something may have been due that was not read, in ms: not for want of room for its own tenant, nor because the lane is to be given back. */
  unreadMs(now: number): number {
    return Math.max(0, now - this.#readAt - (this.isDraining ? LONGEST_DRAIN_MS : 0));
  }

  /** Rows that are due are left in the table: they are to be read before others come from memory. */
  fellBehind(): void {
    this.#hasUnreadDue = true;
    this.#fellMeanwhile = true;
    this.wake();
  }

  /** Rows may stand in the table behind the cursor. */
  lookBack(): void {
    this.#lookBacks.startOver();
    this.fellBehind();
  }

  /** Whether nothing came for a while and a look from the start found nothing either. */
  get isIdle(): boolean {
    return this.rowsInMemory === 0 && !this.mayFetch && this.#isQuiet;
  }

  /** Whether its parked endpoints are to be looked for anew. */
  isUnexplored(now: number): boolean {
    return now >= this.#exploreAt;
  }

  /** So many were found just now. */
  explored(endpoints: number, now: number): void {
    this.#exploreAt = now + Math.max(EXPLORE_MS, endpoints * EXPLORE_MS_PER_ENDPOINT);
  }

  /** Wants to fetch when it is time to look again. Not while it looks or leaves: a look that takes long would be followed by the next for ever. */
  poll(now: number): void {
    if (this.isDraining || this.isLeaving || this.#isFetching) return;
    const interval = now - this.#foundAt < LINGER_MS ? BUSY_POLL_MS : QUIET_POLL_MS;
    if (now - this.#fetchedAt >= interval) this.#wantsFetch = true;
  }

  /**
   * What to fetch now.
   * @param clockMs Postgres's clock
   */
  nextFetch(wanted: number, now: number, clockMs: number, starts = new StartReads()): LaneFetch {
    this.#wantsFetch = false;
    this.#fetchedAt = now;
    this.#isFetching = true;
    this.#isInParts = starts.isInParts;
    this.#cursor.begin(clockMs, this.#isInParts);
    const isIdle = this.#hasLingered(now) && this.rowsInMemory === 0 && !this.#isCalled;
    this.#lookBacks.begin(now, isIdle, starts, this.#cursor.dueAtMs);
    this.#isCalled = false;
    this.#leavesOut = this.rowsInMemory > 0;
    const limit = this.isCareful ? Math.min(wanted, CAREFUL_ROWS) : wanted;
    const { part } = this.#lookBacks;
    if (part !== null) return { lane: this.number, limit, ...part };
    this.#fellMeanwhile = false;
    return { lane: this.number, after: this.#cursor.after(this.depth, this.#isContinuing), limit };
  }

  /** How far back the last fetch looked. */
  get depth(): Depth {
    return this.#lookBacks.depth;
  }

  /** Whether rows that are due may wait in the table, behind those of the last fetch. */
  get mayHaveUnreadDue(): boolean {
    return this.#hasUnreadDue && !this.isCareful && !this.isDraining;
  }

  /** See `LaneCursor.notRead`. */
  notRead(place: Cursor): Cursor {
    return this.#cursor.notRead(place);
  }

  /** Something came that was not in memory. */
  onFreshRows(now: number): void {
    this.#foundAt = now;
  }

  /** Nothing is known of what a fetch would have brought. */
  fetchFailed(starts = new StartReads()): void {
    this.#isFetching = false;
    this.#wantsFetch = true;
    this.#lookBacks.failed(starts);
  }

  /** See `LookBacks.took`. */
  rescanTook(ms: number): void {
    this.#lookBacks.took(ms);
  }

  /** See `LookBacks.partTook`. */
  partTook(ms: number, lanes: number): void {
    this.#lookBacks.partTook(ms, lanes);
  }

  /** Takes note of what a fetch brought. */
  fetched({ rows, fresh, limit, stop }: Fetched, now: number): void {
    if (this.depth === 'part') {
      this.#fetchedPart({ rows, fresh, limit, stop }, now);
      return;
    }
    this.#isFetching = false;
    const isFull = rows.length >= limit;
    const last = isFull ? rows.at(-1) : (stop ?? rows.at(-1));
    this.#isContinuing = isFull || stop !== undefined;
    this.#cursor.fetched(rows[0], last, this.#isContinuing);
    this.#isComplete = !this.#isContinuing;
    this.#isWhole = this.#isComplete;
    this.#hasUnreadDue ||= this.#isContinuing;
    this.#wantsFetch = this.#isContinuing;
    if (fresh > 0) this.onFreshRows(now);
    this.#isQuiet =
      this.#isComplete && this.depth === 'start' && !this.#leavesOut && rows.length === 0 && this.#hasLingered(now);
  }

  /** It says nothing of what is behind the cursor, nor of whether there is something to do. */
  #fetchedPart({ rows, fresh, limit, stop }: Fetched, now: number): void {
    this.#isFetching = false;
    this.#partEnd = (rows.length >= limit ? rows.at(-1) : stop) ?? null;
    this.#wantsFetch = this.#isContinuing;
    this.#isQuiet = false;
    if (fresh > 0) this.onFreshRows(now);
  }

  /** The same for a fetch that passed over tenants: their rows are still to be read, so that the cursor stays before them. */
  fetchedPast({ rows, fresh, limit, stop }: Fetched, now: number): void {
    this.#lookBacks.passedOver();
    if (this.depth === 'part') {
      this.#fetchedPart({ rows, fresh, limit, stop }, now);
      return;
    }
    this.#isFetching = false;
    this.#cursor.fetchedPast(rows[0]);
    this.#isContinuing = false;
    this.#isComplete = false;
    this.#hasUnreadDue = true;
    this.#wantsFetch = rows.length >= limit;
    // Where it stopped at rows of the tenants that it passes over, those behind them are looked for apart: see `PastCrowd`.
    this.#isWhole = !this.mayFetch;
    if (fresh > 0) this.onFreshRows(now);
    this.#isQuiet = false;
  }

  #hasLingered(now: number): boolean {
    return now - Math.max(this.#foundAt, this.#handedAt) >= LINGER_MS;
  }
}
