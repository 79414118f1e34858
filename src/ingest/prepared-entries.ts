import { TooCostlyToMatch } from '../routing/match-steps.ts';
import type { TenantIndex } from '../routing/tenant-index.ts';
import type { Match, MatchedEvent, Matcher, Unmatched } from './match.ts';
import type { MatchMeter } from './match-meter.ts';

/** A tenant's index, and the version of its routing that the index was brought up to. */
export interface RoutingEntry {
  readonly version: bigint;
  readonly index: TenantIndex;
  /** What few tenants have: endpoints that want their deliveries in order, and event types. Null: neither. */
  readonly extras: Pick<Match, 'ordered' | 'rulesVersion'> | null;
}

/** What is known of some tenants. */
export interface Prepared {
  /** Tenants that were deleted. */
  readonly gone: ReadonlySet<number>;
  /** Tenants whose routing has to be read before their events can be matched. */
  readonly missing: ReadonlySet<number>;
  /** For all other tenants. */
  readonly matcher: Matcher;
}

/** The routing that a group of events is matched with. */
export class PreparedEntries implements Matcher {
  readonly laneOf: Matcher['laneOf'];
  readonly #meter: MatchMeter;
  readonly #gone = new Set<number>();
  readonly #missing = new Set<number>();
  readonly #entries = new Map<number, RoutingEntry>();

  constructor(laneOf: Matcher['laneOf'], meter: MatchMeter) {
    this.laneOf = laneOf;
    this.#meter = meter;
  }

  add(tenantNum: number, entry: RoutingEntry | null | undefined): void {
    if (entry === undefined) this.#missing.add(tenantNum);
    else if (entry === null) this.#gone.add(tenantNum);
    else this.#entries.set(tenantNum, entry);
  }

  result(): Prepared {
    return { gone: this.#gone, missing: this.#missing, matcher: this };
  }

  isCostly(tenantNum: number): boolean {
    return this.#meter.isCostly(tenantNum);
  }

  match(tenantNum: number, event: MatchedEvent): Match | Unmatched | null {
    const entry = this.#entries.get(tenantNum);
    if (entry === undefined) throw new Error('A tenant was matched before its routing was loaded.');
    if (event.matched?.version === entry.version) return event.matched;
    if (this.#meter.isOver || this.#meter.isCostly(tenantNum)) return null;
    const known = entry.index.recall(event.type);
    if (known !== undefined) return matchOf(entry, known);
    const began = this.#meter.steadyMs();
    const match = matchWith(entry, event);
    const isLong = this.#meter.took(tenantNum, this.#meter.steadyMs() - began);
    if (isLong || match.endpoints === null) event.matched = match;
    return match;
  }
}

function matchWith(entry: RoutingEntry, event: MatchedEvent): Match | Unmatched {
  try {
    return matchOf(entry, entry.index.match(event));
  } catch (error) {
    if (error instanceof TooCostlyToMatch) return { version: entry.version, endpoints: null };
    throw error;
  }
}

function matchOf({ version, extras }: RoutingEntry, endpoints: readonly number[]): Match {
  const match = { version, endpoints };
  return extras === null ? match : { ...match, ...extras };
}
