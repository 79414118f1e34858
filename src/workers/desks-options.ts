import type { EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import type { AttemptIds } from '../observability/facts.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { LoadedTarget } from '../store/targets.ts';
import type { Desk } from './desk.ts';
import type { DispatcherOptions } from './dispatcher.ts';
import type { MemoryLimits } from './memory-shares.ts';

/** What the desks ask of Postgres, and write to it. */
export interface DeskStore {
  readonly loadTargets: (nums: readonly number[]) => Promise<Map<number, LoadedTarget>>;
  /** @returns false if the endpoint was changed meanwhile, so that the reason no longer holds */
  readonly disableEndpoint: (endpointNum: number, reason: string, resets: number) => Promise<boolean>;
  /** Has the attempt written. The answer comes by `Desks.settled`. */
  readonly settle: (attempt: SettledAttempt) => void;
}

/** What the desks tell others. */
export interface DeskEvents {
  readonly onAttempt: (attempt: SettledAttempt, ids: AttemptIds) => void;
  readonly onGateNews: (news: GateNews, desk: Desk, isOfSystemEvent: boolean) => void;
  readonly onEgressChange: (change: EgressChange) => void;
  readonly onFailure: (what: string, error: unknown, about?: Partial<AttemptIds>) => void;
}

export interface DesksOptions {
  readonly sender: DispatcherOptions['sender'];
  readonly egress: EgressWatch;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly userAgent: string;
  /** How long events are kept; for ever without it. */
  readonly retentionMs: number | undefined;
  readonly limits: MemoryLimits;
  readonly store: DeskStore;
  readonly events: DeskEvents;
  /** Whether a lane may fetch, and waits for room in memory. */
  readonly awaitsRoom: () => boolean;
  /** Asks for a round: there is room, or there are rows to park or to read. */
  readonly requestRound: () => void;
}
