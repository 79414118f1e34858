import type { Crowding } from './crowding.ts';
import type { Desk } from './desk.ts';
import type { DeskClearer } from './desk-clearer.ts';
import type { DeskList } from './desk-list.ts';
import type { MemoryShares } from './memory-shares.ts';
import type { SendScheduler } from './send-scheduler.ts';

export interface ReliefOptions {
  readonly list: DeskList;
  readonly memory: Pick<MemoryShares, 'hasRowsFree' | 'tenantMayHaveMore'>;
  readonly crowding: Pick<Crowding, 'isOn'>;
  readonly scheduler: Pick<SendScheduler, 'hasSlotFor'>;
  readonly clearer: Pick<DeskClearer, 'shelve'>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** How long deliveries of an endpoint that takes no more may wait in memory when others need the room, in ms. */
const SLOW_MS = 1_000;
/** The same in crowded mode. */
const CROWDED_SLOW_MS = 50;

/** Makes room in memory that is filled with deliveries for endpoints that take no more. */
export class Relief {
  readonly #options: ReliefOptions;

  constructor(options: ReliefOptions) {
    this.#options = options;
  }

  /** Whether memory is short because of such endpoints. Then a round is due to relieve it, although it has no room to fetch. */
  get isDue(): boolean {
    return !this.#options.memory.hasRowsFree && this.#slow().length > 0;
  }

  /** If memory, or a tenant's share of it, is short: returns deliveries to the table that have waited long for endpoints that take no more. */
  relieve(): void {
    const { memory, clearer } = this.#options;
    for (const desk of this.#slow())
      if (!memory.hasRowsFree || !memory.tenantMayHaveMore(desk.tenantNum) || this.#keepsOut(desk))
        clearer.shelve(desk);
  }

  /** In crowded mode: whether what waits at the desk finds no slot, and keeps rows of another class out that might find one. */
  #keepsOut(desk: Desk): boolean {
    const { crowding, scheduler, nowMs } = this.#options;
    return crowding.isOn && desk.wantsParked(nowMs()) && !scheduler.hasSlotFor(desk);
  }

  #slow(): Desk[] {
    const { list, crowding, scheduler } = this.#options;
    return list.slow(crowding.isOn ? CROWDED_SLOW_MS : SLOW_MS, (desk) => scheduler.hasSlotFor(desk));
  }
}
