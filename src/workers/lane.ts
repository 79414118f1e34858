import type { LaneLease } from '../store/lanes.ts';
import type { Cursor, DueDelivery, LaneFetch } from '../store/mailbox.ts';
import { Exploration } from './exploration.ts';
import { LaneCursor } from './lane-cursor.ts';
import { LanePace } from './lane-pace.ts';
import { type Depth, LookBacks } from './look-backs.ts';
import { PastLooks } from './past-looks.ts';
import { StartReads } from './start-reads.ts';
import { Sweep } from './sweep.ts';
import { UnreadDue } from './unread-due.ts';

/** A careful lane with this many rows in memory fetches no more: rows that wait for their trial keep the slots from others. */
const CAREFUL_ROWS = 16;
/** The longest that a draining lane is not read, in ms: until its requests under way have ended. */
const LONGEST_DRAIN_MS = 125_000;

/** What a fetch brought for one lane. */
interface Fetched {
  /** The rows that were due, without those that were in memory when the fetch began. */
  readonly rows: readonly DueDelivery[];
  readonly fresh: number;
  readonly limit: number;
  /** See `DueRows`. */
  readonly stop?: Cursor | undefined;
}

/** One lane that this process owns, from its acquisition to its release. */
export class Lane {
  readonly lease: LaneLease;
  /** Resolves when the lane is given back or lost. */
  readonly released: Promise<void>;
  readonly resolveReleased: () => void;
  /** Whether it is served carefully, a few rows at a time: see `CarefulSender`. */
  isCareful = false;
  isDraining = false;
  /** When that began, in ms of `performance.now()`. */
  drainingSince: number | null = null;
  /** Whether it is being given back: another process may own it before this one hears so. */
  isLeaving = false;
  /** When the lease was last asked for, in ms of `performance.now()`: it lasts at least from then on. */
  renewedAt: number;
  /** Rows in memory: waiting, under way, or not settled yet. */
  rowsInMemory = 0;
  /** When stranded rows were last looked for, in ms of `performance.now()`. */
  strandedAt = Number.NEGATIVE_INFINITY;
  readonly looks = new PastLooks();
  /** When its endpoints with parked rows are looked for. */
  readonly exploration = new Exploration();
  /** Goes through the rows of flooded endpoints, which are parked unread: see `FloodParker`. */
  readonly flood = new Sweep();
  #wantsFetch = true;
  readonly #cursor = new LaneCursor();
  /** The last row of the part that was read last, where there may be more in it; else null. */
  #partEnd: Cursor | null = null;
  /** Whether reads from the start were made in parts when the last fetch began. */
  #isInParts = false;
  #fetchedAt = 0;
  #isFetching = false;
  readonly #lookBacks = new LookBacks();
  readonly #pace: LanePace;
  readonly #unread: UnreadDue;
  /** Whether the last fetch left rows behind those that it brought. */
  #isContinuing = false;
  /** Whether the lane had rows in memory when the last fetch began. */
  #leavesOut = false;
  /** Whether nothing came for a while, and a fetch from the start brought nothing either. */
  #isQuiet = false;
  /** Whether new rows were announced since the last fetch began. */
  #isCalled = false;

  /** @param renewedAt when the lease was asked for */
  constructor(lease: LaneLease, now: number, renewedAt = now) {
    this.lease = lease;
    this.renewedAt = renewedAt;
    this.#pace = new LanePace(now);
    this.#unread = new UnreadDue(now);
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

  /** Whether new rows may be handed over in memory: not while rows wait unread in the table, which come first. */
  get takesFromMemory(): boolean {
    return !this.isDraining && !this.isLeaving && !this.isCareful && !this.#unread.hasAny;
  }

  /** Rows were handed over in memory. */
  onHandedRows(now: number): void {
    this.#pace.onHandedRows(now);
    this.#isQuiet = false;
  }

  /**
   * All rows of the last fetch were admitted, or are to be written to the table.
   * @returns how long reading the lane from the start in parts took, in ms, if this was the last part; else null
   */
  onFetchAdmitted(now = this.#fetchedAt): number | null {
    // A part shows nothing of the rows behind the cursor.
    if (this.depth === 'part') return this.#lookBacks.onPartAdmitted(this.#partEnd, now);
    this.#unread.admitted(this.#fetchedAt, this.#lookBacks.isOwed);
    return null;
  }

  /**
   * Not all rows of the last fetch were admitted. Normally: re-read from the start. While the lane is read in parts: put the cursor back to
   * where it was before this fetch, because the parts would reach those rows late.
   */
  onFetchNotAdmitted(): void {
    if (!this.#isInParts) {
      this.lookBack();
      return;
    }
    // A part is read again by itself.
    if (this.depth !== 'part') this.#cursor.goBack();
    this.fellBehind();
  }

  /**
   * For how long due rows may have been unread, in ms. Rows of tenants with a full share of memory do not count, nor does the time of
   * draining.
   */
  unreadMs(now: number): number {
    return Math.max(0, now - this.#unread.readAt - (this.isDraining ? LONGEST_DRAIN_MS : 0));
  }

  /** Due rows were left in the table: they are to be read before others are handed over in memory. */
  fellBehind(): void {
    this.#unread.fellBehind();
    this.wake();
  }

  /** Rows may be due before the cursor: the next read is from the start. */
  lookBack(): void {
    this.#lookBacks.startOver();
    this.fellBehind();
  }

  /** Whether the lane has nothing to do: nothing came for a while, and a read from the start found nothing either. */
  get isIdle(): boolean {
    return this.rowsInMemory === 0 && !this.mayFetch && this.#isQuiet;
  }

  /**
   * Wants to fetch when it is time to look again. Not while it looks or leaves: a look that takes long would be followed by the next for
   * ever.
   */
  poll(now: number): void {
    if (this.isDraining || this.isLeaving || this.#isFetching) return;
    if (this.#pace.isPollDue(this.#fetchedAt, now)) this.#wantsFetch = true;
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
    const isIdle = this.#pace.hasLingered(now) && this.rowsInMemory === 0 && !this.#isCalled;
    this.#lookBacks.begin(now, isIdle, starts, this.#cursor.dueAtMs);
    this.#isCalled = false;
    this.#leavesOut = this.rowsInMemory > 0;
    const limit = this.isCareful ? Math.min(wanted, CAREFUL_ROWS) : wanted;
    const { part } = this.#lookBacks;
    if (part !== null) return { lane: this.number, limit, ...part };
    this.#unread.fetchBegins();
    return { lane: this.number, after: this.#cursor.after(this.depth, this.#isContinuing), limit };
  }

  /** How far back the last fetch reads. */
  get depth(): Depth {
    return this.#lookBacks.depth;
  }

  /**
   * Whether due rows may wait in the table that the next fetch is to bring. Not said of careful and draining lanes, which are read a few
   * rows at a time, or not at all.
   */
  get mayHaveUnreadDue(): boolean {
    return this.#unread.hasAny && !this.isCareful && !this.isDraining;
  }

  /** See `LaneCursor.notRead`. */
  notRead(place: Cursor): Cursor {
    return this.#cursor.notRead(place);
  }

  /** Rows came that were not in memory. */
  onFreshRows(now: number): void {
    this.#pace.onFreshRows(now);
  }

  /** The fetch failed: what is due is not known. */
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

  /** The fetch has ended, and brought this. Whether its rows were admitted is told later. */
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
    this.#unread.fetched({ isComplete: !this.#isContinuing, isWhole: !this.#isContinuing });
    this.#wantsFetch = this.#isContinuing;
    if (fresh > 0) this.onFreshRows(now);
    this.#isQuiet =
      !this.#isContinuing &&
      this.depth === 'start' &&
      !this.#leavesOut &&
      rows.length === 0 &&
      this.#pace.hasLingered(now);
  }

  /** The same for a part. It shows nothing of the rows behind the cursor, nor whether the lane has something to do. */
  #fetchedPart({ rows, fresh, limit, stop }: Fetched, now: number): void {
    this.#isFetching = false;
    this.#partEnd = (rows.length >= limit ? rows.at(-1) : stop) ?? null;
    this.#wantsFetch = this.#isContinuing;
    this.#isQuiet = false;
    if (fresh > 0) this.onFreshRows(now);
  }

  /** The same for a fetch that passed over tenants. Their rows are still to be read, so the cursor stays before them. */
  fetchedPast({ rows, fresh, limit, stop }: Fetched, now: number): void {
    this.#lookBacks.passedOver();
    if (this.depth === 'part') {
      this.#fetchedPart({ rows, fresh, limit, stop }, now);
      return;
    }
    this.#isFetching = false;
    this.#cursor.fetchedPast(rows[0]);
    this.#isContinuing = false;
    this.#wantsFetch = rows.length >= limit;
    // If it stopped at rows of tenants that it passes over, `PastCrowd` looks for rows behind these.
    this.#unread.fetched({ isComplete: false, isWhole: !this.mayFetch });
    if (fresh > 0) this.onFreshRows(now);
    this.#isQuiet = false;
  }
}
