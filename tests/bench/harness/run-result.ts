import type { Machine } from './machine.ts';
import type { Limit } from './measure-limit.ts';
import type { StatementShare } from './statement-stats.ts';
import type { Figures } from './window.ts';

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly figures: Figures;
  /** Of the last window; empty where they are not counted. */
  readonly statements: readonly StatementShare[];
  /** Why what was accepted was not delivered exactly once; the run fails with any. */
  readonly problems: readonly string[];
}

/** One run, as it is kept in bench/results. */
export interface RunResult {
  /** ISO 8601. */
  readonly at: string;
  /** Short hash; `+` after it when files differed from it. */
  readonly commit: string;
  readonly quick: boolean;
  readonly layout: 'split' | 'one';
  /** What carries the doorbell. */
  readonly bell: 'redis' | 'postgres';
  readonly profiled: boolean;
  readonly measuredSeconds: number;
  readonly machine: Machine;
  readonly limit: Limit;
  readonly scenarios: readonly ScenarioResult[];
}
