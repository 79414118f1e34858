import type { IncomingMessage } from './intake.ts';

/** What is taken in within this time nobody needs to be kept from. */
const LONG_MS = 250;
/** Batches of a line, one after the other, that are quick before it goes with others again: where fewer are given for its tenant, each is. */
const QUICK_TIMES = 10;
/** They are twice as many each time that it held the others up again, up to 320. */
const MOST_RELAPSES = 5;
/** Once it has gone with the others for so long, it is as if nothing had been. */
const FORGOTTEN_MS = 600_000;

type InLine = Pick<IncomingMessage, 'group'>;

/** Of a line, in a row. */
interface Standing {
  failures: number;
  quick: number;
  relapses: number;
  /** Since when it goes with the others; null: it goes on by itself. */
  backMs: number | null;
}

/** Which lines of a source go on by themselves, and what they have shown. Pure: the caller brings the time. */
export class Standings {
  /** By group. */
  readonly #standings = new Map<string, Standing>();
  #apart = 0;

  /** Whether there is one that goes on by itself. */
  get hasAny(): boolean {
    return this.#apart > 0;
  }

  readonly isApart = (group: string): boolean => this.#standings.get(group)?.backMs === null;

  /** These were taken in together. @param tookMs for how long */
  judge(batch: readonly InLine[], tookMs: number, nowMs: number): void {
    if (tookMs > LONG_MS) this.set(batch, nowMs);
  }

  /** From now on the lines of these go on by themselves. */
  set(batch: readonly InLine[], nowMs: number): void {
    for (const { group } of batch) {
      const before = this.#standings.get(group);
      if (before?.backMs === null) continue;
      const isRelapse = before !== undefined && nowMs - before.backMs < FORGOTTEN_MS;
      const relapses = isRelapse ? Math.min(MOST_RELAPSES, before.relapses + 1) : 0;
      this.#standings.set(group, { failures: 0, quick: 0, relapses, backMs: null });
      this.#apart++;
    }
  }

  /** One was taken in by itself. */
  pass(group: string, tookMs: number, nowMs: number): void {
    const standing = this.#standings.get(group);
    if (standing?.backMs !== null) return;
    standing.failures = 0;
    standing.quick = tookMs > LONG_MS ? 0 : standing.quick + 1;
    if (standing.quick < QUICK_TIMES * 2 ** standing.relapses) return;
    standing.backMs = nowMs;
    this.#apart--;
  }

  /** One could not be taken in. @param isTenants its tenant may not send more now @returns how often in a row that was not its tenant's */
  fail(group: string, isTenants: boolean): number {
    const standing = this.#standings.get(group);
    if (standing === undefined) return 0;
    standing.quick = 0;
    standing.failures = isTenants ? 0 : standing.failures + 1;
    return standing.failures;
  }

  /** The others are not this process's any more. */
  keep(groups: ReadonlySet<string>): void {
    for (const group of this.#standings.keys()) {
      if (groups.has(group)) continue;
      if (this.isApart(group)) this.#apart--;
      this.#standings.delete(group);
    }
  }
}
