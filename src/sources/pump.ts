import type { IncomingMessage, Intake } from './intake.ts';
import { isOfTenant } from './is-of-tenant.ts';
import { LoneLines } from './lone-lines.ts';
import type { MessageLines } from './message-lines.ts';
import { waitMs } from './wait-ms.ts';

export interface PumpOptions<T extends IncomingMessage> {
  readonly lines: MessageLines<T>;
  readonly intake: Intake;
  /** These are durable: the broker may be told. */
  readonly onDone: (batch: readonly T[]) => void;
  /** Messages cannot be stored now; null: they can again. */
  readonly onTrouble: (error: unknown) => void;
  readonly steadyMs: () => number;
}

/**
 * Takes in what waits in the lines, batch after batch, one at a time. What cannot be stored is given again after a pause that grows; a line
 * whose tenant may not send more now, or whose messages take long, goes on by itself.
 */
export class Pump<T extends IncomingMessage> {
  readonly #options: PumpOptions<T>;
  readonly #lone: LoneLines<T>;
  #wake: () => void = () => {};
  #isHeld = false;

  constructor(options: PumpOptions<T>) {
    this.#options = options;
    this.#lone = new LoneLines(options, () => this.#wake());
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
      const { lines, steadyMs } = this.#options;
      const batch = this.#isHeld ? [] : this.#lone.begin(lines.next(steadyMs()));
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
    await this.#lone.end();
  }

  /** @returns why nothing can be stored now, or null */
  async #take(batch: readonly T[]): Promise<unknown> {
    const { lines, intake, onDone, steadyMs } = this.#options;
    const sinceMs = steadyMs();
    try {
      await intake(batch);
      lines.done(batch);
      onDone(batch);
      this.#lone.judge(batch, steadyMs() - sinceMs);
      return null;
    } catch (error) {
      if (!isOfTenant(error)) return error;
      // Some tenant may not send more now: whose lines these are shows when each is tried by itself.
      this.#lone.add(batch);
      return null;
    }
  }

  /** Until something new comes, the time is there, or the signal aborts. */
  async #pause(untilMs: number | null, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = untilMs === null ? undefined : setTimeout(resolve, Math.max(1, untilMs - this.#options.steadyMs()));
    await promise;
    clearTimeout(timer);
  }

  /** As `#pause`, whatever comes. */
  async #sit(ms: number, signal: AbortSignal): Promise<void> {
    const end = this.#options.steadyMs() + ms;
    while (!signal.aborted && this.#options.steadyMs() < end) await this.#pause(end, signal);
  }
}
