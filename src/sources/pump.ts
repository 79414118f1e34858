import type { IncomingMessage, Intake } from './intake.ts';
import { isOfTenant } from './is-of-tenant.ts';
import { LoneLines } from './lone-lines.ts';
import type { MessageLines } from './message-lines.ts';
import type { Standings } from './standings.ts';
import { Troubles } from './troubles.ts';
import { waitMs } from './wait-ms.ts';

export interface PumpOptions<T extends IncomingMessage> {
  readonly lines: MessageLines<T>;
  readonly intake: Intake;
  /** These are durable: the broker may be told. */
  readonly onDone: (batch: readonly T[]) => void;
  /** Messages of some lines cannot be stored now; null: those of all can again. */
  readonly onTrouble: (error: unknown) => void;
  /** May outlive the pump. */
  readonly standings: Standings;
  readonly steadyMs: () => number;
}

/**
 * Takes in what waits in the lines, batch after batch, one at a time. What cannot be stored is given again after a pause that grows; a line
 * whose tenant may not send more now, or whose messages take long, goes on by itself.
 */
export class Pump<T extends IncomingMessage> {
  readonly #options: PumpOptions<T>;
  readonly #troubles: Troubles;
  readonly #lone: LoneLines<T>;
  #wake: () => void = () => {};
  #isHeld = false;

  constructor(options: PumpOptions<T>) {
    this.#options = options;
    this.#troubles = new Troubles(options.onTrouble);
    this.#lone = new LoneLines(options, this.#troubles, () => this.#wake());
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
      const trouble = await this.#beside(this.#take(batch), signal);
      failures = trouble === null ? 0 : failures + 1;
      this.#troubles.set(null, trouble);
      if (trouble !== null) await this.#sit(waitMs(trouble, failures), signal);
    }
    signal.removeEventListener('abort', wake);
    await this.#lone.end();
  }

  /** Begins what goes on by itself while the others are being taken in. @returns as `taking` */
  async #beside(taking: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
    const { lines, standings, steadyMs } = this.#options;
    let isOver = false;
    const taken = taking.finally(() => {
      isOver = true;
      this.#wake();
    });
    while (standings.hasAny && !isOver && !signal.aborted) {
      if (!this.#isHeld) this.#lone.begin(lines.next(steadyMs(), standings.isApart));
      await this.#pause(this.#isHeld ? null : lines.nextMs(standings.isApart), signal);
    }
    return taken;
  }

  /** @returns why nothing can be stored now, or null */
  async #take(batch: readonly T[]): Promise<unknown> {
    const { lines, intake, onDone, standings, steadyMs } = this.#options;
    const sinceMs = steadyMs();
    lines.takeAway(batch);
    try {
      await intake(batch);
      lines.done(batch);
      onDone(batch);
      standings.judge(batch, steadyMs() - sinceMs, steadyMs());
      return null;
    } catch (error) {
      if (!isOfTenant(error)) return error;
      // Some tenant may not send more now: whose lines these are shows when each is tried by itself.
      standings.set(batch, steadyMs());
      return null;
    } finally {
      lines.bringBack(batch);
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
