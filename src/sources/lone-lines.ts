import type { Refusal } from '../domain/errors.ts';
import type { IncomingMessage } from './intake.ts';
import { isOfTenant } from './is-of-tenant.ts';
import type { PumpOptions } from './pump.ts';
import type { Troubles } from './troubles.ts';
import { LONGEST_WAIT_MS, waitMs } from './wait-ms.ts';

/**
 * Lines that go on by themselves, so that the others do not wait for them: those that a batch which was held up was made of, until they have
 * been quick by themselves. What holds one up is a tenant's: it may not send more now, or its events take long to be matched. Each line is
 * given one batch at a time, so that it keeps its order.
 */
export class LoneLines<T extends IncomingMessage> {
  readonly #options: PumpOptions<T>;
  readonly #troubles: Troubles;
  readonly #onEnd: () => void;
  readonly #underWay = new Set<Promise<void>>();

  /** @param onEnd hears that a line may go on */
  constructor(options: PumpOptions<T>, troubles: Troubles, onEnd: () => void) {
    this.#options = options;
    this.#troubles = troubles;
    this.#onEnd = onEnd;
  }

  /** Takes in those whose lines go on by themselves. @returns the others */
  begin(batch: readonly T[]): readonly T[] {
    const { standings } = this.#options;
    if (!standings.hasAny) return batch;
    const others: T[] = [];
    for (const [group, part] of Map.groupBy(batch, (message) => message.group))
      if (standings.isApart(group)) this.#begin(group, part);
      else others.push(...part);
    return others;
  }

  /** Ends once what is under way has ended. */
  async end(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #begin(group: string, part: readonly T[]): void {
    const { lines } = this.#options;
    lines.takeAway(part);
    const taken = this.#take(group, part).then((trouble) => {
      lines.bringBack(part);
      this.#underWay.delete(taken);
      if (trouble !== AS_BEFORE) this.#troubles.set(group, trouble);
      this.#onEnd();
    });
    this.#underWay.add(taken);
  }

  /** @returns why nothing can be stored now; null where it can; `AS_BEFORE` where that is not known yet */
  async #take(group: string, part: readonly T[]): Promise<unknown> {
    const { lines, intake, onDone, standings, steadyMs } = this.#options;
    const sinceMs = steadyMs();
    try {
      await intake(part);
      lines.done(part);
      onDone(part);
      standings.pass(group, steadyMs() - sinceMs, steadyMs());
      // A few that pass now and then, of a tenant that sends more than it may, would end the trouble and begin it anew each second.
      return lines.isNarrow(group) ? AS_BEFORE : null;
    } catch (error) {
      return this.#refuse(group, part, error);
    }
  }

  #refuse(group: string, part: readonly T[], error: unknown): unknown {
    const { lines, standings, steadyMs } = this.#options;
    const isTenants = isOfTenant(error);
    const failures = standings.fail(group, isTenants);
    const pauseMs = isTenants ? tenantWaitMs(error, part) : waitMs(error, failures);
    lines.narrow(group, part.length, steadyMs() + pauseMs);
    return isTenants && part.length > 1 ? AS_BEFORE : error;
  }
}

/** What was told of a line holds on. */
const AS_BEFORE = Symbol('as before');

/** Fewer at once may pass. One is tried again soon, whatever its tenant was told: the limit may have been raised. */
function tenantWaitMs(error: Refusal, part: readonly unknown[]): number {
  return part.length > 1 ? 0 : Math.min(LONGEST_WAIT_MS, (error.retryAfterSeconds ?? 1) * 1000);
}
