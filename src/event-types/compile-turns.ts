import { setImmediate as nextTurn } from 'node:timers/promises';
import { CheckRate } from './check-rate.ts';
import { compileCost } from './compile-cost.ts';
import { compileSchema, type Validator } from './compile-schema.ts';
import type { JsonSchema } from './json-schema.ts';

/** What was made, and what that cost. */
export interface Done<T> {
  readonly made: T;
  readonly cost: number;
}

/** Makes what somebody waits for. @returns what lets them have it */
type Piece = () => () => void;

/**
 * What is done with whole schemas, most of all compiling them: one piece in a turn of the event loop, of one tenant after the other, however many pieces
 * each has waiting. It is charged to the tenant as its checks are, and refused likewise: a tenant with more schemas than are kept would compile them again
 * and again.
 */
export class CompileTurns {
  readonly rate: CheckRate;
  /** By tenant, those first whose turn is next. */
  readonly #waiting = new Map<number, Piece[]>();
  #isBusy = false;

  constructor(rate = new CheckRate()) {
    this.rate = rate;
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
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const piece = () => {
      try {
        this.rate.refuseSpent(tenantNum, own);
        const { made, cost } = make();
        this.rate.paid(tenantNum, cost);
        return () => resolve(made);
      } catch (error) {
        return () => reject(error);
      }
    };
    const pieces = this.#waiting.get(tenantNum) ?? [];
    pieces.push(piece);
    this.#waiting.set(tenantNum, pieces);
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.size > 0) {
      await nextTurn();
      const tell = this.#next()();
      // What is checked by it has a turn of its own.
      await nextTurn();
      tell();
    }
    this.#isBusy = false;
  }

  #next(): Piece {
    const [first] = this.#waiting;
    const [tenantNum, pieces] = first!;
    const piece = pieces.shift()!;
    this.#waiting.delete(tenantNum);
    // Behind all others that wait.
    if (pieces.length > 0) this.#waiting.set(tenantNum, pieces);
    return piece;
  }
}
