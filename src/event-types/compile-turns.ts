import { TurnQueue } from '../accounts/turn-queue.ts';
import { CheckRate } from './check-rate.ts';
import { compileCost } from './compile-cost.ts';
import { compileSchema, type Validator } from './compile-schema.ts';
import type { JsonSchema } from './json-schema.ts';

/** What was made, and what that cost. */
export interface Done<T> {
  readonly made: T;
  readonly cost: number;
}

/**
 * Does work with whole schemas, most of all compiling them, in turns of the tenants. A tenant pays for it as for its checks, and is refused
 * like them: one with more schemas than are kept would have them compiled again and again.
 */
export class CompileTurns {
  readonly rate: CheckRate;
  readonly #queue: TurnQueue;

  constructor(rate = new CheckRate(), queue = new TurnQueue()) {
    this.rate = rate;
    this.#queue = queue;
  }

  /** The same turns with another account: what is spent on one of them does not lead to refusals on the other. */
  apart(rate = new CheckRate()): CompileTurns {
    return new CompileTurns(rate, this.#queue);
  }

  /** @throws Refusal 429 */
  compile(tenantNum: number, schema: JsonSchema, place: string, own = 0): Promise<Validator> {
    return this.take(tenantNum, () => ({ made: compileSchema(schema, place), cost: compileCost(schema) }), own);
  }

  /**
   * Makes something when it is the tenant's turn.
   * @param own what the request that asks has spent itself
   * @throws Refusal 429 where the tenant has spent too much by then, and what `make` throws
   */
  take<T>(tenantNum: number, make: () => Done<T>, own = 0): Promise<T> {
    return this.#queue.take(tenantNum, () => {
      this.rate.refuseSpent(tenantNum, own);
      const { made, cost } = make();
      this.rate.paid(tenantNum, cost);
      return made;
    });
  }
}
