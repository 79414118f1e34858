import { readFile } from 'node:fs/promises';
import { parsePeakMb } from './process-stat.ts';
import type { ScenarioResult } from './run-result.ts';
import type { Play, Scenario } from './scenario.ts';
import { Stage, type StageOptions } from './stage.ts';
import { type StatementShare, topStatements } from './statement-stats.ts';
import type { Figures } from './window.ts';

/**
 * Plays one scenario on a stage of its own, and checks that all that it accepted was delivered exactly once. Whatever fails is a problem of
 * that scenario: what others found in a run of half an hour is not lost with it.
 */
export async function playScenario(scenario: Scenario, options: StageOptions, play: Play): Promise<ScenarioResult> {
  const { name, title } = scenario;
  const played = { name, title, figures: {}, statements: [] };
  try {
    const stage = await Stage.open(scenario.stage, options);
    const result = await playOn(stage, scenario, play).catch((error: unknown) => ({
      ...played,
      problems: [textOf(error)],
    }));
    await stage.close();
    return result;
  } catch (error) {
    return { ...played, problems: [textOf(error)] };
  }
}

async function playOn(stage: Stage, scenario: Scenario, play: Play): Promise<ScenarioResult> {
  const { name, title } = scenario;
  const figures = await scenario.play(stage, play);
  const problems = await stage.finish();
  const statements = statementsOfLastWindow(stage, figures);
  return { name, title, figures: { ...figures, ...(await peaks(stage)) }, statements, problems };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function statementsOfLastWindow({ lastTwo: [before, after] }: Stage, figures: Figures): readonly StatementShare[] {
  if (!before?.statements || !after?.statements) return [];
  const deliveries = after.sink.delivered - before.sink.delivered;
  const units = 'cpu_us_per_event' in figures ? after.load.accepted - before.load.accepted : deliveries;
  return units === 0 ? [] : topStatements(before.statements, after.statements, units);
}

/** The peak of the resident set of each process that runs at the end, and of all together. */
async function peaks(stage: Stage): Promise<Figures> {
  const byRole: Record<string, number | null> = {};
  for (const [role, pid] of stage.system.pids)
    byRole[`rss_mb_${role}`] = parsePeakMb(await readFile(`/proc/${pid}/status`, 'utf8'));
  const all = Object.values(byRole);
  const sum = all.reduce<number>((total, one) => total + (one ?? 0), 0);
  return { rss_mb: all.includes(null) ? null : sum, ...byRole };
}
