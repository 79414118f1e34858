import type { Context } from '../context.ts';
import { laneOf } from '../routing/lane-of.ts';
import { expand, expandingTenants, holdExpansions } from '../store/expansions.ts';
import { inTransaction } from '../store/in-transaction.ts';

export interface ExpanderOptions {
  readonly pool: Context['workerPool'];
  readonly lanes: number;
  /** Wakes the lanes of these endpoints. */
  readonly ringEndpoints: Context['ringEndpoints'];
  readonly onFailure: (error: unknown) => void;
}

/** Deliveries that one transaction writes: others' commits wait for nothing longer. */
const CHUNK = 500;

/**
 * Writes the deliveries of events that match very many endpoints into the mailbox, chunk by chunk. A chunk's rows and how far the event
 * has come are one transaction under the event's row lock: however many workers run, and wherever one dies, each is written once.
 */
export class Expander {
  readonly #options: ExpanderOptions;

  constructor(options: ExpanderOptions) {
    this.#options = options;
  }

  /**
   * One chunk of each tenant that has any: a tenant with many wide events delays another's by no more than that.
   * @returns whether anything moved: then there may be more
   */
  async runOnce(signal?: AbortSignal): Promise<boolean> {
    let hasMoved = false;
    for (const tenantNum of await expandingTenants(this.#options.pool)) {
      if (signal?.aborted === true) break;
      hasMoved = (await this.#step(tenantNum)) || hasMoved;
    }
    return hasMoved;
  }

  /** Works until nothing is left that it could do, the signal fires, or `budgetMs` is spent. */
  async drain(signal: AbortSignal, budgetMs: number): Promise<void> {
    const end = performance.now() + budgetMs;
    while (!signal.aborted && performance.now() < end) if (!(await this.runOnce(signal))) return;
  }

  /** One tenant's failure does not hold the others up: it is tried again at the next look. */
  async #step(tenantNum: number): Promise<boolean> {
    const { pool, lanes, ringEndpoints, onFailure } = this.#options;
    try {
      const chunks = await inTransaction(pool, async (client) => {
        const held = await holdExpansions(client, tenantNum, CHUNK);
        if (held.length > 0) await expand(client, tenantNum, held, (num) => laneOf(num, lanes));
        return held;
      });
      ringEndpoints(chunks.flatMap(({ endpointNums }) => endpointNums));
      return chunks.length > 0;
    } catch (error) {
      onFailure(error);
      return false;
    }
  }
}
