import type { MetricKit } from './metric-kit.ts';

/** What only Postgres knows, and what it means. */
const FIGURES = {
  due_age_seconds:
    'How long the delivery that has been due longest has waited or been under way, those of closed endpoints aside; what waits for the rate limit of its endpoint, or for a slow receiver, counts, which is no fault of any worker.',
  unowned_due_age_seconds:
    'How long the delivery that has been due longest has waited of those that no worker holds: none runs, or too few that are well. A backlog that is parked counts from when its endpoint takes requests again.',
  mailbox_rows: 'Deliveries that are still to be made, parked ones included; an estimate of Postgres.',
  breakers_open: 'Endpoints whose circuit breaker is open.',
  lanes_without_owner: 'Lanes that nobody holds: most of them when all is quiet.',
  lanes_crashed: 'Lanes whose last owners ended without giving them back.',
  suspects: 'Deliveries that are noted before they are sent, in such lanes.',
  deliveries_set_aside: 'Deliveries that are set aside because their workers kept dying.',
  expansions_waiting: 'Deliveries of events for very many endpoints that are still to be written.',
  notices_waiting: 'Facts that tenants are still to be told of.',
  dead_letters_kept: 'Dead letters of days that were dropped; an estimate of Postgres.',
} as const;

export type Figure = keyof typeof FIGURES;
export type Figures = Readonly<Record<Figure, number>>;

/** How old figures may be, in ms: however many look, Postgres is asked no more often. */
const FRESH_MS = 5_000;
/** Figures older than this say nothing any more. */
const STALE_MS = 60_000;
/** How long whoever looks waits for Postgres, in ms. */
const WAIT_MS = 1_000;

/** Figures of the whole installation, the same from every process. Where Postgres does not answer they are absent, and the rest is there. */
export class InstallationFigures {
  #read: (() => Promise<Figures>) | null = null;
  #figures: Figures | null = null;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;

  constructor(kit: MetricKit) {
    for (const [name, help] of Object.entries(FIGURES))
      kit.reading(
        `installation_${name}`,
        `${help} Of the whole installation: do not add up processes.`,
        () => this.#known?.[name as Figure],
      );
    kit.reading('installation_figures_age_seconds', 'How old these figures are.', () =>
      this.#known === null ? undefined : (performance.now() - this.#readAt) / 1000,
    );
  }

  /** @param read one cheap statement */
  readBy(read: () => Promise<Figures>): void {
    this.#read = read;
  }

  /** Reads them anew where they are old. Never throws, and waits for a second at most. */
  async refresh(): Promise<void> {
    if (this.#read === null || performance.now() - this.#readAt < FRESH_MS) return;
    this.#reading ??= this.#readNow(this.#read);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, WAIT_MS);
    await Promise.race([this.#reading, late]);
    clearTimeout(timer);
  }

  get #known(): Figures | null {
    return performance.now() - this.#readAt < STALE_MS ? this.#figures : null;
  }

  async #readNow(read: () => Promise<Figures>): Promise<void> {
    try {
      this.#figures = await read();
      this.#readAt = performance.now();
    } catch {
      // Their age tells; what failed is told by those who need Postgres for more.
    } finally {
      this.#reading = null;
    }
  }
}
