import type { Behaviour } from './behaviour.ts';
import type { Verdict } from './judge.ts';
import type { Play } from './play.ts';
import type { Tally } from './tally.ts';

/** What a machine has to have for a scenario. */
export type Need = 'redis' | 'rabbitmq' | 'faketime' | 'kafka' | 'tmpfs';

export interface EndpointSpec {
  /** For people. */
  readonly name: string;
  /** `acme` unless given. */
  readonly tenant?: string;
  /** Gets the events of this group alone; without it, all events of its tenant. */
  readonly group?: string;
  /** Over the harness's own, which are a fast retry schedule. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly behaviour?: Behaviour;
  /** How it behaves once the faults are over; as before unless given. */
  readonly healed?: Behaviour;
  /** Whether its deliveries may be left waiting at the end. */
  readonly isLeft?: boolean;
  /** Whether events may pass it by, because it is disabled or deleted meanwhile. */
  readonly isMissed?: boolean;
  /** Made like the endpoint before the first of these in a row, whose tenant and settings it has: for thousands of them. */
  readonly isCopy?: boolean;
  /** Reached through the receiver's fault proxy. */
  readonly viaProxy?: boolean;
}

export interface LoadSpec {
  readonly perSecond: number;
  readonly slots?: number;
  readonly batch?: number;
  /** Ends by itself after so many events; else when the faults are over. */
  readonly events?: number;
  readonly subjects?: number;
  readonly padding?: number;
  /** Tenants whose events it sends; all unless given. */
  readonly tenants?: readonly string[];
}

export interface StageSpec {
  readonly apis?: number;
  readonly workers?: number;
  /** Environment of every process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Which servers the processes reach through a fault proxy. */
  readonly proxied?: readonly ('postgres' | 'redis')[];
  /** Whether deliveries go through an egress proxy. */
  readonly egressProxy?: boolean;
  readonly postgres?: Readonly<Record<string, string>>;
  /** Puts Postgres's data on a file system of so many MB of its own. */
  readonly postgresDiskMb?: number;
  /** Arguments of redis-server in place of `--appendonly yes`. */
  readonly redis?: readonly string[];
}

/** One step of a scenario: a fault, or what happens between two. */
export interface Step {
  /** One line, printed when it begins; empty for what is not worth a line. */
  readonly what: string;
  run(play: Play): Promise<void>;
}

export interface Outcome {
  readonly play: Play;
  readonly tally: Tally;
  readonly recoveryMs: number;
}

/** A fault under load and what must be true afterwards, besides the invariants that hold for all. */
export interface Scenario {
  /** The row of the fault list, or a name. */
  readonly id: string;
  readonly title: string;
  /** Rows of the fault list that it plays. */
  readonly rows: readonly string[];
  /** What has to be seen, in words. */
  readonly expected: string;
  readonly needs?: readonly Need[];
  /** Only with this backend of the doorbell. */
  readonly backend?: 'redis' | 'postgres';
  readonly stage?: StageSpec;
  /** Four endpoints, two tenants, unless given. */
  readonly endpoints?: readonly EndpointSpec[];
  /** 60 events a second unless given; null for none of the harness's. */
  readonly load?: LoadSpec | null;
  /** Events that are acknowledged before the first fault; 60 unless given. */
  readonly warmUp?: number;
  readonly steps: readonly Step[];
  /** Statuses besides 202 that producers may see. */
  readonly refusals?: readonly number[];
  readonly refusalAtMostMs?: number;
  /** Longest time from the heal to an empty backlog; 25 s unless given. */
  readonly recoveryAtMostMs?: number;
  /** Repeats that may come besides those that crashes explain. */
  readonly repeatsAtMost?: number;
  /** Files and sockets that a process may have open, where its receivers are of very many tenants: connections are kept for each by itself. */
  readonly filesAtMost?: number;
  /** Replays end deliveries more than once. */
  readonly endsOften?: boolean;
  /** What must hold besides. */
  readonly check?: (outcome: Outcome) => Promise<readonly Verdict[]>;
  /** Runs with the tests. */
  readonly ci?: boolean;
  /** The same, smaller: what `--short` plays, and what runs with the tests if it says so. */
  readonly short?: Scenario;
}
