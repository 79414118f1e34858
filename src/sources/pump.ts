import { Refusal } from '../domain/errors.ts';
import type { IncomingMessage, Intake } from './intake.ts';
import { isOfTenant } from './is-of-tenant.ts';
import type { MessageLines } from './message-lines.ts';

export interface PumpOptions<T extends IncomingMessage> {
  readonly lines: MessageLines<T>;
  readonly intake: Intake;
  /** These are durable: the broker may be told. */
  readonly onDone: (batch: readonly T[]) => void;
  /** Messages cannot be stored now; null: they can again. */
  readonly onTrouble: (error: unknown) => void;
  readonly nowMs: () => number;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
const NO_MS = 0;

/**
 * Takes in what waits in the lines, batch after batch, one at a time. What cannot be stored is given again after a pause that grows; a line
 * whose tenant may not send more now waits alone.
 */
export class Pump<T extends IncomingMessage> {
  readonly #options: PumpOptions<T>;
  #wake: () => void = () => {};
  #isHeld = false;

  constructor(options: PumpOptions<T>) {
    this.#options = options;
  }

  /** Something new waits in the lines. */
  wake(): void {
    this.#wake();
  }

  /** Takes nothing more in until it is let go; what is under way is finished. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#wake();
  }

  /** Until the signal aborts; then resolves once what is under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    let failures = 0;
    while (!signal.aborted) {
      const { lines, nowMs } = this.#options;
      const batch = this.#isHeld ? [] : lines.next(nowMs());
      if (batch.length === 0) {
        await this.#pause(this.#isHeld ? null : lines.nextMs(), signal);
        continue;
      }
      const trouble = await this.#take(batch);
      failures = trouble === null ? 0 : failures + 1;
      this.#options.onTrouble(trouble);
      if (trouble !== null) await this.#sit(waitMs(trouble, failures), signal);
    }
    signal.removeEventListener('abort', wake);
  }

  /** @returns why nothing can be stored now, or null */
  async #take(batch: readonly T[]): Promise<unknown> {
    try {
      await this.#options.intake(batch);
      this.#done(batch);
      return null;
    } catch (error) {
      return isOfTenant(error) ? this.#takeApart(batch) : error;
    }
  }

  /** Some tenant may not send more now: whose lines these are shows when each is tried alone. */
  async #takeApart(batch: readonly T[]): Promise<unknown> {
    for (const [group, part] of Map.groupBy(batch, (message) => message.group)) {
      try {
        await this.#options.intake(part);
        this.#done(part);
      } catch (error) {
        if (!isOfTenant(error)) return error;
        const waits = part.length > 1 ? NO_MS : ((error as Refusal).retryAfterSeconds ?? 1) * 1000;
        this.#options.lines.narrow(group, part.length, this.#options.nowMs() + waits);
      }
    }
    return null;
  }

  #done(batch: readonly T[]): void {
    this.#options.lines.done(batch);
    this.#options.onDone(batch);
  }

  /** Until something new comes, the time is there, or the signal aborts. */
  async #pause(untilMs: number | null, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = untilMs === null ? undefined : setTimeout(resolve, Math.max(1, untilMs - this.#options.nowMs()));
    await promise;
    clearTimeout(timer);
  }

  /** As `#pause`, whatever comes. */
  async #sit(ms: number, signal: AbortSignal): Promise<void> {
    const end = this.#options.nowMs() + ms;
    while (!signal.aborted && this.#options.nowMs() < end) await this.#pause(end, signal);
  }
}

function waitMs(error: unknown, failures: number): number {
  const least = error instanceof Refusal && failures === 1 ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  return Math.max(least, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10)));
}
