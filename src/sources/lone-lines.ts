import type { Refusal } from '../domain/errors.ts';
import type { IncomingMessage } from './intake.ts';
import { isOfTenant } from './is-of-tenant.ts';
import type { PumpOptions } from './pump.ts';
import { waitMs } from './wait-ms.ts';

/** What is taken in within this time nobody needs to be kept from. */
const LONG_MS = 250;
/** Batches of a line, one after the other, that are quick before it goes with others again: where fewer are given for its tenant, each is. */
const QUICK_TIMES = 10;

/** Of a line, in a row. */
interface Standing {
  failures: number;
  quick: number;
}

/**
 * Lines that go on by themselves, so that the others do not wait for them: those that a batch which was held up was made of, until they have
 * been quick by themselves. What holds one up is a tenant's: it may not send more now, or its events take long to be matched. Each line is
 * given one batch at a time, so that it keeps its order.
 */
export class LoneLines<T extends IncomingMessage> {
  readonly #options: PumpOptions<T>;
  readonly #onEnd: () => void;
  /** By group. */
  readonly #standings = new Map<string, Standing>();
  readonly #underWay = new Set<Promise<void>>();

  /** @param onEnd hears that a line may go on */
  constructor(options: PumpOptions<T>, onEnd: () => void) {
    this.#options = options;
    this.#onEnd = onEnd;
  }

  /** These were taken in together. @param tookMs for how long */
  judge(batch: readonly T[], tookMs: number): void {
    if (tookMs > LONG_MS) this.add(batch);
  }

  /** From now on the lines of these go on by themselves. */
  add(batch: readonly T[]): void {
    for (const { group } of batch)
      if (!this.#standings.has(group)) this.#standings.set(group, { failures: 0, quick: 0 });
  }

  /** Takes in those whose lines go on by themselves. @returns the others */
  begin(batch: readonly T[]): readonly T[] {
    if (this.#standings.size === 0) return batch;
    const others: T[] = [];
    for (const [group, part] of Map.groupBy(batch, (message) => message.group)) {
      const standing = this.#standings.get(group);
      if (standing === undefined) others.push(...part);
      else this.#begin(group, part, standing);
    }
    return others;
  }

  /** Ends once what is under way has ended. */
  async end(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #begin(group: string, part: readonly T[], standing: Standing): void {
    const { lines, steadyMs, onTrouble } = this.#options;
    lines.setAway(group, true);
    const sinceMs = steadyMs();
    // From here to the end in one go: a line is not to be away for what comes next in it.
    const end = (trouble: unknown) => {
      lines.setAway(group, false);
      this.#underWay.delete(taken);
      onTrouble(trouble);
      this.#onEnd();
    };
    const taken: Promise<void> = this.#options.intake(part).then(
      () => {
        this.#pass(group, part, standing, steadyMs() - sinceMs);
        end(null);
      },
      (error: unknown) => end(this.#refuse(group, part, standing, error)),
    );
    this.#underWay.add(taken);
  }

  #pass(group: string, part: readonly T[], standing: Standing, tookMs: number): void {
    this.#options.lines.done(part);
    this.#options.onDone(part);
    standing.failures = 0;
    standing.quick = tookMs > LONG_MS ? 0 : standing.quick + 1;
    if (standing.quick >= QUICK_TIMES) this.#standings.delete(group);
  }

  /** @returns why nothing can be stored now, or null where it is the tenant's */
  #refuse(group: string, part: readonly T[], standing: Standing, error: unknown): unknown {
    const { lines, steadyMs } = this.#options;
    const isTenants = isOfTenant(error);
    standing.quick = 0;
    standing.failures = isTenants ? 0 : standing.failures + 1;
    const pauseMs = isTenants ? tenantWaitMs(error, part) : waitMs(error, standing.failures);
    lines.narrow(group, part.length, steadyMs() + pauseMs);
    return isTenants ? null : error;
  }
}

/** Fewer at once may pass. */
function tenantWaitMs(error: Refusal, part: readonly unknown[]): number {
  return part.length > 1 ? 0 : (error.retryAfterSeconds ?? 1) * 1000;
}
