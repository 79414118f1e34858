import { CLASSES } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import type { Lane } from './lane.ts';

/** From so many tenants kept waiting at one look the process counts as overloaded: no tenant can bring that about alone. */
const MANY_TENANTS = 5;

export interface LatenessOptions {
  readonly desks: Pick<Desks, 'list' | 'scheduler' | 'memory' | 'isPutOff'>;
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** What is known of an endpoint that was kept waiting at each of the last looks. Times are in ms of `performance.now()`. */
interface Kept {
  /** When the first of these looks was. */
  readonly since: number;
  /** Since when nothing of its backlog in the table was read. */
  readonly unreadSince: number;
  /** See `Desk`. */
  readonly refilledAt: number;
}

/**
 * How long deliveries wait through this process's own fault: an unread lane, or an endpoint that would take one but gets no slot, turn or
 * memory. Not counted: the endpoint's own limits, and the shares of tenants, retries and replays; another worker would not help there, and
 * any tenant could bring these about.
 */
export class Lateness {
  readonly #options: LatenessOptions;
  #kept = new Map<Desk, Kept>();
  #desksMs = 0;

  constructor(options: LatenessOptions) {
    this.#options = options;
  }

  /** To be called about once a second. An endpoint that is about to be served may be seen waiting by chance once, but not twice. */
  look(now: number): void {
    const { desks, nowMs } = this.#options;
    const areShort = desks.scheduler.areShort(now);
    const isOverloaded =
      areShort || new Set([...this.#kept.keys()].map(({ tenantNum }) => tenantNum)).size >= MANY_TENANTS;
    const kept = new Map<Desk, Kept>();
    this.#desksMs = 0;
    for (const desk of desks.list) {
      const isKept = this.#takesMore(desk, nowMs()) ? this.#keptOf(desk, areShort) : null;
      if (isKept === null) continue;
      const before = this.#kept.get(desk);
      // A read of a part of the backlog normally ends the wait. Not under overload: many backlogs are then read in turn, and still grow.
      const goesOn = before !== undefined && (isOverloaded || before.refilledAt === desk.refilledAt);
      const since = before?.since ?? now;
      const unreadSince = goesOn ? before.unreadSince : now;
      kept.set(desk, { since, unreadSince, refilledAt: desk.refilledAt });
      const inMemoryMs = isKept.inMemory ? now - Math.max(since, desk.waiting.oldest!.admittedAt) : 0;
      this.#desksMs = Math.max(this.#desksMs, inMemoryMs, isKept.inTable ? now - unreadSince : 0);
    }
    this.#kept = kept;
  }

  /** The longest wait in ms: of lanes as it is now, of endpoints as it was at the last look. */
  msAt(now: number): number {
    let ms = this.#desksMs;
    for (const lane of this.#options.lanes.values()) ms = Math.max(ms, lane.unreadMs(now));
    return ms;
  }

  #takesMore(desk: Desk, nowMs: number): boolean {
    const { desks, lanes } = this.#options;
    if (desk.waiting.length === 0 && !desk.hasParked) return false;
    if (lanes.get(desk.lane)?.isDraining !== false || desks.isPutOff(desk)) return false;
    return desk.isOpen(nowMs) && desk.takesNow(nowMs);
  }

  /** Where the desk has deliveries that others keep waiting: in memory, in the table, or both. Null if it has none. */
  #keptOf(desk: Desk, areShort: boolean): { readonly inMemory: boolean; readonly inTable: boolean } | null {
    const { scheduler, memory } = this.#options.desks;
    const kinds = CLASSES.filter((kind) => areShort || scheduler.hasSlotOf(desk.tenantNum, kind));
    const inMemory = kinds.some((kind) => desk.waiting.lengthOf(kind) > 0);
    const inTable = memory.tenantMayHaveMore(desk.tenantNum) && kinds.some(desk.hasOnlyParked);
    return inMemory || inTable ? { inMemory, inTable } : null;
  }
}
