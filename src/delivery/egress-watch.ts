import type { Outcome } from '../domain/outcome.ts';
import { FaultRuns } from './fault-runs.ts';

/** Kinds of failure that may be our own fault: a resolver that is down, a network that is gone, connections that lead nowhere. `proxy` always is. */
export type EgressFault = 'dns' | 'network' | 'connect_timeout' | 'proxy';

export interface FaultVerdict {
  /** Whether the outcome is our own fault, as far as one can tell. */
  readonly isOurs: boolean;
  /** How long the endpoint has met with such faults and nothing else, in ms; 0 if this is not our fault. */
  readonly lastsMs: number;
  /** The hold that this outcome began or ended, for all endpoints. */
  readonly change: EgressChange | null;
}

export interface EgressChange {
  readonly kind: 'held' | 'released';
  readonly fault: EgressFault;
  readonly failing: number;
  readonly endpoints: number;
}

/** How many endpoints must have been tried lately before anything is concluded from them. */
const ENOUGH_ENDPOINTS = 10;
const HELD_SHARE = 0.8;
const RELEASED_SHARE = 0.5;
/** How long an endpoint's last outcome counts. */
const RECENT_MS = 30_000;
/** A fault that lasts longer than this is not expected to pass: it counts against endpoints again. */
const LONGEST_HOLD_MS = 10 * 60_000;
const MAX_REMEMBERED = 50_000;
/** The time of an outcome is noted to this accuracy: the same outcome within it changes nothing. */
const GRAIN_MS = 1_000;

const NOT_TRIED: FaultVerdict = { isOurs: false, lastsMs: 0, change: null };

/**
 * Tells a fault of our own egress from faults of endpoints. If most endpoints that were tried lately fail in one way, and most tenants too,
 * and our egress can be the cause, that is an egress hold: until it ends, this kind of failure counts against no endpoint. Tenants are
 * counted as well, because one tenant alone may have nothing but dead endpoints.
 *
 * Pure: it reads no clock.
 */
export class EgressWatch {
  readonly #endpoints = new LastOutcomes();
  readonly #tenants = new LastOutcomes();
  readonly #runs = new FaultRuns();
  #held: { readonly fault: EgressFault; readonly sinceMs: number } | null = null;
  /** The fault of a hold that lasted too long. It begins no other hold until it has passed. */
  #accepted: EgressFault | null = null;

  /**
   * Takes note of an outcome.
   * @param steadyMs on a steady clock. If Postgres's clock were used and set back by hours, what was seen would count as recent for hours.
   */
  note(
    { num, tenantNum }: { readonly num: number; readonly tenantNum: number },
    outcome: Outcome,
    steadyMs: number,
  ): FaultVerdict {
    if (isSilence(outcome) && this.#held?.fault === 'connect_timeout')
      return { isOurs: true, lastsMs: this.#runs.goOn(num, steadyMs), change: null };
    const fault = faultOf(outcome);
    if (fault === undefined) return NOT_TRIED;
    this.#endpoints.set(num, fault, steadyMs);
    this.#tenants.set(tenantNum, fault, steadyMs);
    const change = this.#judge(fault, steadyMs);
    const isOurs = fault === 'proxy' || (fault !== null && this.#held?.fault === fault);
    if (!isOurs) this.#runs.end(num);
    return { isOurs, lastsMs: isOurs ? this.#runs.goOn(num, steadyMs) : 0, change };
  }

  /**
   * Whether the endpoint is to be tried with care: its own last outcome is the fault of the hold. Endpoints that were reached, failed in
   * another way, or were not tried lately are not held: their outcomes say whether the fault is ours at all, and one tenant's dead
   * endpoints do not keep those of others waiting.
   */
  isHeldFor(endpointNum: number): boolean {
    return this.#held !== null && this.#endpoints.get(endpointNum) === this.#held.fault;
  }

  #judge(fault: EgressFault | null, steadyMs: number): EgressChange | null {
    if (this.#accepted !== null && this.#shareOf(this.#accepted) < RELEASED_SHARE) this.#accepted = null;
    const held = this.#held;
    if (held === null) {
      // If only few requests fail at the proxy, nobody is held back for it. The failure is not the endpoint's all the same.
      if (fault === 'proxy') return this.#shareOf(fault) < RELEASED_SHARE ? null : this.#hold(fault, steadyMs);
      const isNew = fault !== null && fault !== this.#accepted && this.#endpoints.size >= ENOUGH_ENDPOINTS;
      if (!isNew || this.#shareOf(fault) < HELD_SHARE) return null;
      return this.#hold(fault, steadyMs);
    }
    const lasts = held.fault === 'proxy' || steadyMs - held.sinceMs < LONGEST_HOLD_MS;
    if (lasts && this.#shareOf(held.fault) >= RELEASED_SHARE) return null;
    if (!lasts) this.#accepted = held.fault;
    this.#held = null;
    return this.#changeTo('released', held.fault);
  }

  #hold(fault: EgressFault, steadyMs: number): EgressChange {
    this.#held = { fault, sinceMs: steadyMs };
    return this.#changeTo('held', fault);
  }

  #changeTo(kind: EgressChange['kind'], fault: EgressFault): EgressChange {
    return { kind, fault, failing: this.#endpoints.countOf(fault), endpoints: this.#endpoints.size };
  }

  #shareOf(fault: EgressFault): number {
    return Math.min(this.#endpoints.shareOf(fault), this.#tenants.shareOf(fault));
  }
}

/** The last outcome of each endpoint, or of each tenant, as long as it is recent. */
class LastOutcomes {
  /** Oldest first. */
  readonly #seen = new Map<number, { readonly fault: EgressFault | null; readonly atMs: number }>();
  readonly #counts: Record<EgressFault, number> = { dns: 0, network: 0, connect_timeout: 0, proxy: 0 };

  get size(): number {
    return this.#seen.size;
  }

  get(num: number): EgressFault | null | undefined {
    return this.#seen.get(num)?.fault;
  }

  set(num: number, fault: EgressFault | null, steadyMs: number): void {
    const known = this.#seen.get(num);
    // Nearly always the outcome is as before. Then the entry need not be moved to the end each time.
    if (known !== undefined && known.fault === fault && steadyMs - known.atMs < GRAIN_MS) return;
    this.#forget(num);
    for (const [old, { atMs }] of this.#seen) {
      if (this.#seen.size < MAX_REMEMBERED && steadyMs - atMs < RECENT_MS) break;
      this.#forget(old);
    }
    this.#seen.set(num, { fault, atMs: steadyMs });
    if (fault !== null) this.#counts[fault]++;
  }

  countOf(fault: EgressFault): number {
    return this.#counts[fault];
  }

  shareOf(fault: EgressFault): number {
    return this.#seen.size === 0 ? 0 : this.#counts[fault] / this.#seen.size;
  }

  #forget(num: number): void {
    const seen = this.#seen.get(num);
    if (seen === undefined) return;
    this.#seen.delete(num);
    if (seen.fault !== null) this.#counts[seen.fault]--;
  }
}

/**
 * Whether nothing came back on a connection that was there before: the receiver is slow, or no packet reaches it any more. By itself that
 * says nothing of our network. During a hold for connections that lead nowhere it is taken for the same fault.
 */
function isSilence(outcome: Outcome): boolean {
  if (outcome.kind !== 'unreachable' || outcome.reason !== 'timeout' || outcome.wasConnected !== true) return false;
  return outcome.timing.connectMs === null && outcome.timing.firstByteMs === null;
}

/** Null: the endpoint, or something in front of it, was reached. Undefined: nothing was tried, or it says nothing of our network. */
function faultOf(outcome: Outcome): EgressFault | null | undefined {
  switch (outcome.kind) {
    case 'delivered':
    case 'rejected':
      return null;
    case 'unreachable':
      if (outcome.ours !== undefined) return outcome.ours;
      if (outcome.reason === 'dns' || outcome.reason === 'network') return outcome.reason;
      if (isSilence(outcome)) return undefined;
      return outcome.reason === 'timeout' && outcome.wasConnected !== true ? 'connect_timeout' : null;
    case 'blocked':
    case 'skipped':
      return undefined;
  }
}
