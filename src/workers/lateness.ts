import { CLASSES } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import type { Lane } from './lane.ts';

/** Tenants that could all have had something more at one look: as many as one of them alone cannot make. */
const MANY_TENANTS = 5;

export interface LatenessOptions {
  readonly desks: Pick<Desks, 'list' | 'scheduler' | 'memory' | 'isPutOff'>;
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** An endpoint that could have had a delivery at each of the last looks. Times are in ms of `performance.now()`. */
interface Kept {
  /** Since the first of them. */
  readonly since: number;
  /** Since when nothing was read of what it has in the table. */
  readonly unreadSince: number;
  /** See `Desk`. */
  readonly refilledAt: number;
}

/**
 * For how long this process itself keeps deliveries waiting: a lane that is not read to its end, and an endpoint that would take one and gets no slot, no turn, or no place in
 * memory. Not what waits for the limits of its endpoint, or because its tenant, or retries and replays, have their share: any tenant could bring that about, and no worker more would change it.
 */
export class Lateness {
  readonly #options: LatenessOptions;
  #kept = new Map<Desk, Kept>();
  #desksMs = 0;

  constructor(options: LatenessOptions) {
    this.#options = options;
  }

  /** To be called about once a second. An endpoint that is about to be served is seen so by chance, and not twice. */
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
      // A backlog of one endpoint is read a part at a time. Where there is more to do than can be done that is so of many, each in its turn, and still it grows.
      const goesOn = before !== undefined && (isOverloaded || before.refilledAt === desk.refilledAt);
      const since = before?.since ?? now;
      const unreadSince = goesOn ? before.unreadSince : now;
      kept.set(desk, { since, unreadSince, refilledAt: desk.refilledAt });
      const inMemoryMs = isKept.inMemory ? now - Math.max(since, desk.waiting.oldest!.admittedAt) : 0;
      this.#desksMs = Math.max(this.#desksMs, inMemoryMs, isKept.inTable ? now - unreadSince : 0);
    }
    this.#kept = kept;
  }

  /** In ms: of endpoints as it was at the last look. */
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

  /** Where it has deliveries that have to wait for what others have; null where it has none. */
  #keptOf(desk: Desk, areShort: boolean): { readonly inMemory: boolean; readonly inTable: boolean } | null {
    const { scheduler, memory } = this.#options.desks;
    const kinds = CLASSES.filter((kind) => areShort || scheduler.hasSlotOf(desk.tenantNum, kind));
    const inMemory = kinds.some((kind) => desk.waiting.lengthOf(kind) > 0);
    const inTable = memory.tenantMayHaveMore(desk.tenantNum) && kinds.some(desk.hasOnlyParked);
    return inMemory || inTable ? { inMemory, inTable } : null;
  }
}
