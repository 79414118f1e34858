import type { DueDelivery } from '../store/mailbox.ts';
import { Crowd } from './crowd.ts';
import type { Desks } from './desks.ts';
import type { FloodParker } from './flood-parker.ts';
import type { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';

export interface PastCrowdOptions {
  readonly store: Pick<LaneStore, 'fetchDue'>;
  readonly desks: Pick<Desks, 'held' | 'memory' | 'read'>;
  readonly floods: Pick<FloodParker, 'flooded'>;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Takes rows in; false when not all found room. */
  readonly admit: (rows: readonly DueDelivery[]) => Promise<boolean>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/**
 * Rows of each lane that are read at once, how often, in ms, and the most of a worker's time that it takes: what is passed over is stepped over,
 * once for each row, and again only for what comes late.
 */
const SIZE = 32;
const PAUSE_MS = 25;
const SHARE = 1 / 10;

/**
 * Where more is due than is read at once: reads rows of those who have few among them. They would wait until all that was due before is read, and sent or parked, be it of one tenant with
 * very many endpoints or of many tenants.
 */
export class PastCrowd {
  readonly #options: PastCrowdOptions;
  readonly #crowd = new Crowd();
  /** When the next read may be, in ms of `performance.now()`. */
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(options: PastCrowdOptions) {
    this.#options = options;
  }

  /** Takes note of what a read brought that left more to be read. */
  note(rows: readonly DueDelivery[], now: number): void {
    this.#crowd.note(rows, now);
  }

  /** One read, where it is worth it. */
  async run(): Promise<void> {
    const now = performance.now();
    const { lanes, desks, admit } = this.#options;
    if (now < this.#nextAt) return;
    const tenants = this.#crowd.tenants(now);
    const behind = tenants.length === 0 ? [] : [...lanes.values()].filter((lane) => lane.isBehind);
    const size = Math.min(SIZE, Math.floor(desks.memory.room / 4 / behind.length));
    if (behind.length === 0 || size < 1 || !desks.memory.hasBytes) return;
    const { rows, fresh } = await this.#read(behind, size, tenants);
    this.#nextAt = now + Math.max(PAUSE_MS, (performance.now() - now) / SHARE);
    // Else it is read again, before what came later.
    if (!(await admit(fresh))) return;
    const rowsOf = Map.groupBy(rows, (row) => row.lane);
    const freshOf = Map.groupBy(fresh, (row) => row.lane);
    for (const lane of behind) {
      const found = { rows: rowsOf.get(lane.number) ?? [], fresh: freshOf.get(lane.number)?.length ?? 0, limit: size };
      lane.looked(found, now);
    }
  }

  #read(behind: readonly Lane[], size: number, tenants: readonly number[]) {
    const { store, desks, floods, nowMs } = this.#options;
    const fetches = behind.map((lane) => lane.nextLook(size, nowMs()));
    const over = {
      endpoints: floods.flooded().map(({ num }) => num),
      tenants: [...new Set([...tenants, ...desks.memory.fullTenants()])],
      rows: desks.held.metBy(fetches),
    };
    return desks.read(() => store.fetchDue(fetches, over));
  }
}
