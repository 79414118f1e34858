import { UsageError } from '../../../src/cli/run-command.ts';
import type { Scenario } from './scenario.ts';
import { backlogScenarios } from './scenarios/backlog.ts';
import { keptScenario } from './scenarios/kept.ts';
import { latencyScenarios } from './scenarios/latency.ts';
import { scalingScenarios } from './scenarios/scaling.ts';
import { sustainScenario, throughputScenarios } from './scenarios/throughput.ts';
import { tlsScenarios } from './scenarios/tls.ts';
import { troubleScenarios } from './scenarios/trouble.ts';
import { wideScenario } from './scenarios/wide.ts';

/** In the order in which they are played. */
export const scenarios: readonly Scenario[] = [
  ...throughputScenarios,
  ...tlsScenarios,
  ...latencyScenarios,
  ...backlogScenarios,
  ...troubleScenarios,
  wideScenario,
  sustainScenario,
  keptScenario,
  ...scalingScenarios,
];

const QUICK = ['batch100', 'latency1000'];

/** @param only names of scenarios or of sets; empty for the default set @throws UsageError that names what is no scenario */
export function chooseScenarios(only: readonly string[], quick: boolean): readonly Scenario[] {
  const known = new Set(scenarios.flatMap(({ name, set = name }) => [name, set]));
  for (const name of only)
    if (!known.has(name) && name !== 'limit') throw new UsageError(`--only: there is no scenario ${name}; see --list`);
  if (only.length > 0) return scenarios.filter(({ name, set = name }) => only.includes(name) || only.includes(set));
  if (quick) return scenarios.filter(({ name }) => QUICK.includes(name));
  return scenarios.filter(({ onlyByName }) => onlyByName !== true);
}
