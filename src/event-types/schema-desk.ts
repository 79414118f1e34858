import { CastCost, type CastPlan, CastTooLarge, castData } from './cast-data.ts';
import { FUEL } from './check-budget.ts';
import type { Problem } from './compare-schemas.ts';
import { compatibility } from './compatibility.ts';
import { compileCost } from './compile-cost.ts';
import type { Validation, Validator } from './compile-schema.ts';
import type { CompileTurns, Done } from './compile-turns.ts';
import type { JsonSchema } from './json-schema.ts';
import { readSchema, type SchemaReading } from './read-schema.ts';
import { type SchemaDiff, schemaDiff } from './schema-diff.ts';

/** Reading a schema, and going over one in a comparison, take this part of what compiling it takes (measured). */
const READING_PART = 4;
const COMPARING_PART = 8;
/** What a place that a cast looks at costs, in units of checks (measured). */
const PLACE_COST = 3;

/**
 * Does what one call asks for with schemas of a tenant, each piece when it is the tenant's turn, and on the tenant's account. What the call
 * itself has spent does not count against it: a version that is compared with a hundred others comes to its end.
 * @throws Refusal 429 from all methods, where other calls and events of the tenant have cost too much
 */
export class SchemaDesk {
  readonly #turns: CompileTurns;
  readonly #tenantNum: number;
  #spent = 0;

  constructor(turns: CompileTurns, tenantNum: number) {
    this.#turns = turns;
    this.#tenantNum = tenantNum;
  }

  read(value: unknown): Promise<SchemaReading> {
    return this.#take(() => ({ made: readSchema(value), cost: compileCost(value) / READING_PART }));
  }

  async compile(schema: JsonSchema, place: string): Promise<Validator> {
    const validate = await this.#turns.compile(this.#tenantNum, schema, place, this.#spent);
    this.#spent += compileCost(schema);
    return validate;
  }

  /** Checks data as of an event, within what one event may cost. */
  async check(data: unknown, validate: Validator): Promise<Validation> {
    const found = await this.#take(() => {
      const fuel = { left: FUEL };
      return { made: validate(data, fuel), cost: FUEL - fuel.left };
    });
    if (found.kind !== 'unready') return found;
    await this.#take(validate.prepare);
    return this.check(data, validate);
  }

  /** Casts data to another version. The tenant pays also where the answer is that the data would be too large. */
  cast(dataText: string, plan: CastPlan): Promise<string | CastTooLarge> {
    const cost = new CastCost();
    return this.#take(() => ({ made: castWithin(dataText, plan, cost), cost: cost.places * PLACE_COST }));
  }

  /** Where the newer may refuse what the older accepts: see `compatibilityProblems`. */
  compare(older: JsonSchema, newer: JsonSchema): Promise<readonly Problem[]> {
    return this.#take(() => {
      const { problems, cost } = compatibility(older, newer);
      return { made: problems, cost: cost + comparingCost(older, newer) };
    });
  }

  diff(older: JsonSchema, newer: JsonSchema): Promise<SchemaDiff> {
    return this.#take(() => ({ made: schemaDiff(older, newer), cost: comparingCost(older, newer) }));
  }

  #take<T>(make: () => Done<T>): Promise<T> {
    const counted = () => {
      const done = make();
      this.#spent += done.cost;
      return done;
    };
    return this.#turns.take(this.#tenantNum, counted, this.#spent);
  }
}

function castWithin(dataText: string, plan: CastPlan, cost: CastCost): string | CastTooLarge {
  try {
    return castData(dataText, [plan], cost);
  } catch (error) {
    if (error instanceof CastTooLarge) return error;
    throw error;
  }
}

function comparingCost(older: JsonSchema, newer: JsonSchema): number {
  return (compileCost(older) + compileCost(newer)) / COMPARING_PART;
}
