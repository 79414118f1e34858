import type { TenantRef } from '../domain/caller.ts';
import type { Refusal } from '../domain/errors.ts';
import { type DefaultLimits, limitsOf } from '../domain/ingest-limits.ts';
import type { TenantDemand } from '../store/ingest-demand.ts';
import { type IngestCost, TenantMeter } from './tenant-meter.ts';

export interface LimiterOptions {
  /**
   * Tells the other processes what this one is asked for, by tenant, in events a second (0: not measured yet; null: nothing to tell).
   * @returns the limits of these tenants, and what the others are asked for. One statement
   */
  readonly exchange: (demands: ReadonlyMap<number, number | null>) => Promise<ReadonlyMap<number, TenantDemand>>;
  /** Counts the deliveries that wait. @param caps by tenant, where the count may stop. One statement */
  readonly countWaiting: (caps: ReadonlyMap<number, number>) => Promise<ReadonlyMap<number, number>>;
  /** Tells the other processes that this one is asked for nothing any more. */
  readonly leave: () => Promise<void>;
  readonly defaults: DefaultLimits;
  /** A clock that never steps back, in ms. */
  readonly steadyMs: () => number;
  /** Most tenants that are remembered; the one that has sent nothing for longest is forgotten first. */
  readonly maxTenants: number;
}

export interface TenantCost extends IngestCost {
  readonly tenant: TenantRef;
}

/** Whether a request may pass (`refusal` is null then), and the headers of its answer in either case. */
export interface LimitVerdict {
  readonly refusal: Refusal | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A tenant that has sent nothing for so long is forgotten, in ms. */
const FORGET_MS = 60_000;
/** Counting backlogs may take this part of the time: after a count that took long, the next one waits longer. */
const COUNT_SHARE = 0.05;
const PASSED: LimitVerdict = { refusal: null, headers: {} };

/**
 * Holds tenants to what they may send. The buckets are in memory. Only the first request of a tenant waits for Postgres, for its limits.
 * Once a second the processes tell each other what they are asked for. Each then allows the part of a tenant's limits that is its part of
 * the tenant's traffic.
 */
export class TenantLimiter {
  readonly #options: LimiterOptions;
  /** In the order in which they were last asked for. */
  readonly #meters = new Map<number, TenantMeter>();
  readonly #loading = new Map<number, Promise<TenantMeter>>();
  #exchangedMs: number;
  #countAgainMs = 0;

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.#exchangedMs = options.steadyMs();
  }

  /** Tells whether the tenant could send this now, without charging it. */
  async peek(tenant: TenantRef, cost: IngestCost): Promise<LimitVerdict> {
    const meter = this.#recall(tenant.num) ?? (await this.#find(tenant.num));
    const nowMs = this.#options.steadyMs();
    const refusal = meter.problem(cost, nowMs);
    if (refusal === null) return PASSED;
    meter.ask(cost.events);
    return { refusal, headers: meter.headers(nowMs) };
  }

  /** Charges each tenant of a request for its part, or none of them if one may not send it. */
  async charge(costs: readonly TenantCost[]): Promise<LimitVerdict> {
    const meters: TenantMeter[] = [];
    for (const { tenant } of costs) meters.push(this.#recall(tenant.num) ?? (await this.#find(tenant.num)));
    // Nothing is awaited from here on, so that nobody can spend in between what was found to be left.
    const nowMs = this.#options.steadyMs();
    for (const [i, meter] of meters.entries()) meter.ask(costs[i]!.events);
    for (const [i, meter] of meters.entries()) {
      const refusal = meter.problem(costs[i]!, nowMs);
      if (refusal !== null) return { refusal, headers: meter.headers(nowMs) };
    }
    for (const [i, meter] of meters.entries()) meter.spend(costs[i]!, nowMs);
    return meters.length === 1 ? { refusal: null, headers: meters[0]!.headers(nowMs) } : PASSED;
  }

  /** Charges the tenant for what was done already, as far as it has so much left. @returns the headers of the answer */
  async drain({ tenant, ...cost }: TenantCost): Promise<LimitVerdict['headers']> {
    const meter = this.#recall(tenant.num) ?? (await this.#find(tenant.num));
    const nowMs = this.#options.steadyMs();
    meter.ask(cost.events);
    meter.drain(cost, nowMs);
    return meter.headers(nowMs);
  }

  /** Notes that deliveries of the tenant were stored. They count as waiting until the next count knows better. */
  accepted(tenant: TenantRef, deliveries: number): void {
    this.#meters.get(tenant.num)?.accepted(deliveries);
  }

  /** To be called about once a second. */
  async runOnce(): Promise<void> {
    const nowMs = this.#options.steadyMs();
    for (const [num, meter] of this.#meters) if (nowMs - meter.usedMs > FORGET_MS) this.#meters.delete(num);
    await this.#exchange(nowMs);
    if (this.#options.steadyMs() >= this.#countAgainMs) await this.#count();
  }

  async leave(): Promise<void> {
    if ([...this.#meters.values()].some((meter) => meter.hasRate)) await this.#options.leave();
  }

  async #exchange(nowMs: number): Promise<void> {
    const elapsedMs = nowMs - this.#exchangedMs;
    this.#exchangedMs = nowMs;
    const demands = new Map([...this.#meters].map(([num, meter]) => [num, meter.takeDemand(elapsedMs)] as const));
    if (demands.size === 0) return;
    const told = new Map(
      [...demands].map(([num, demand]) => [num, demand > 0 && this.#meters.get(num)!.hasRate ? demand : null] as const),
    );
    const looks = await this.#options.exchange(told);
    for (const [num, look] of looks) {
      const limits = limitsOf(look.limits, this.#options.defaults);
      this.#meters.get(num)?.configure(limits, shareOf(demands.get(num) ?? 0, look), this.#options.steadyMs());
    }
  }

  async #count(): Promise<void> {
    const limited = [...this.#meters].filter(([, meter]) => meter.backlog !== null);
    const accepted = new Map(limited.map(([num, meter]) => [num, meter.acceptedSince]));
    if (limited.length === 0) return;
    const startedMs = this.#options.steadyMs();
    const counts = await this.#options.countWaiting(new Map(limited.map(([num, meter]) => [num, meter.backlog!])));
    const endedMs = this.#options.steadyMs();
    this.#countAgainMs = endedMs + (endedMs - startedMs) / COUNT_SHARE;
    for (const [num, meter] of limited) meter.counted(counts.get(num) ?? 0, accepted.get(num)!);
  }

  #recall(num: number): TenantMeter | undefined {
    const known = this.#meters.get(num);
    // The order of use only matters once room gets short.
    if (known === undefined || this.#meters.size * 2 <= this.#options.maxTenants) return known;
    this.#meters.delete(num);
    this.#meters.set(num, known);
    return known;
  }

  /** @throws what reading the tenant's limits throws: then it is not known whether the request may pass */
  async #find(num: number): Promise<TenantMeter> {
    const loading = this.#loading.get(num) ?? this.#load(num).finally(() => this.#loading.delete(num));
    this.#loading.set(num, loading);
    return loading;
  }

  async #load(num: number): Promise<TenantMeter> {
    const { exchange, defaults, steadyMs, maxTenants } = this.#options;
    const limits = limitsOf((await exchange(new Map([[num, null]]))).get(num)?.limits ?? null, defaults);
    const hasRate = limits.eventsPerSecond !== null || limits.bytesPerSecond !== null;
    // Tells the others before the first request passes. So, if several processes begin at once, at most one of them believes that it is alone.
    const look = hasRate ? (await exchange(new Map([[num, 0]]))).get(num) : undefined;
    const meter = new TenantMeter(limits, 1 / ((look?.others ?? 0) + 1), steadyMs());
    this.#meters.set(num, meter);
    for (const oldest of this.#meters.keys()) {
      if (this.#meters.size <= maxTenants) break;
      this.#meters.delete(oldest);
    }
    return meter;
  }
}

/** @returns the part of a tenant's traffic that comes to this process. A process that has not measured yet counts as much as this one */
function shareOf(demand: number, { others, unmeasured, othersDemand }: TenantDemand): number {
  return demand === 0 ? 1 / (others + 1) : demand / (demand * (1 + unmeasured) + othersDemand);
}
