import type pg from 'pg';
import type { Health, HealthReport } from './api/health.ts';

/** Says what is wrong, or null. */
export type Check = () => string | null;

/** How long the readiness probe waits for Postgres, in ms. */
const PROBE_MS = 1_000;
const SILENT = 'postgres does not answer';
/** For how long its answer is told to others who ask, in ms: anybody may, without a key, and each question takes a connection that deliveries want. */
const ANSWER_MS = 250;
/** How long an answer of Postgres proves that it is there, in ms: two looks at its clock. */
const POSTGRES_FRESH_MS = 11_000;

/** Gathers what the parts of a process say of themselves. */
export class ProcessHealth implements Health {
  readonly #pool: pg.Pool;
  readonly #liveness: Check[] = [];
  readonly #readiness: Check[] = [];
  #postgresSeenAt = Number.NEGATIVE_INFINITY;
  /** What the last probe found, and when, in ms of `performance.now()`. */
  #postgres: string | null = null;
  #probedAt = Number.NEGATIVE_INFINITY;
  /** The one that is under way. */
  #probing: Promise<void> | null = null;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** A check whose problem only a restart mends. */
  addLiveness(check: Check): void {
    this.#liveness.push(check);
  }

  addReadiness(check: Check): void {
    this.#readiness.push(check);
  }

  /** Postgres answered just now. */
  sawPostgres(): void {
    this.#postgresSeenAt = performance.now();
  }

  /** While Postgres is away nothing can move, and a restart would not bring it back: that is `ready`'s to say. */
  live(): HealthReport {
    const isPostgresThere = performance.now() - this.#postgresSeenAt < POSTGRES_FRESH_MS;
    return { problems: isPostgresThere ? problemsOf(this.#liveness) : [] };
  }

  async ready(): Promise<HealthReport> {
    if (performance.now() - this.#probedAt >= ANSWER_MS) {
      this.#probing ??= this.#probe();
      await this.#probing;
    }
    return {
      problems: [
        ...(this.#postgres === null ? [] : [this.#postgres]),
        ...problemsOf(this.#liveness),
        ...problemsOf(this.#readiness),
      ],
    };
  }

  async #probe(): Promise<void> {
    try {
      this.#postgres = await this.#problemOfPostgres();
      this.#probedAt = performance.now();
    } finally {
      this.#probing = null;
    }
  }

  /** One that answers may be a standby, or a primary that was told to write nothing: events would all be refused. */
  async #problemOfPostgres(): Promise<string | null> {
    const { promise: late, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(() => resolve(SILENT), PROBE_MS);
    const answered = this.#pool
      .query<{ is_read_only: boolean }>(`SELECT current_setting('transaction_read_only')::bool AS is_read_only`)
      .then(
        ({ rows }) => (rows[0]?.is_read_only === true ? 'postgres is read-only' : null),
        () => SILENT,
      );
    try {
      return await Promise.race([answered, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function problemsOf(checks: readonly Check[]): string[] {
  return checks.map((check) => check()).filter((problem) => problem !== null);
}
