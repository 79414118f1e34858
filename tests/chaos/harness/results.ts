import { readFileSync, writeFileSync } from 'node:fs';
import type { RunResult } from './report.ts';
import type { Scenario } from './scenario.ts';

/** A scenario that was played, or why it was not. */
export interface Recorded {
  readonly scenario: Scenario;
  readonly result?: RunResult;
  readonly skipped?: string;
}

/** What was measured last, by scenario. */
export interface Measured {
  /** Of what was played: a scenario that has been made another since was not measured yet. */
  readonly title?: string;
  readonly passed: boolean;
  readonly recoverySeconds: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly events: number;
}

const FILE = new URL('../results.json', import.meta.url);

export function readResults(): Readonly<Record<string, Measured>> {
  return JSON.parse(readFileSync(FILE, 'utf8'));
}

/** Writes the results of scenarios that were played over those of their last run. */
export function recordResults(results: readonly Recorded[]): void {
  const all: Record<string, Measured> = { ...readResults() };
  for (const { scenario, result } of results) {
    // A run that broke off measured nothing; one that passed without a post had its events from brokers.
    if (result === undefined || (result.events === 0 && !result.passed)) continue;
    const { passed, recoveryMs, lost, duplicates, events } = result;
    all[scenario.id] = {
      title: scenario.title,
      passed,
      recoverySeconds: Math.round(recoveryMs / 100) / 10,
      lost,
      duplicates,
      events,
    };
  }
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`);
}
