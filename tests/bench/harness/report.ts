import { judgeGoals } from './goals.ts';
import { SPREAD } from './measure-limit.ts';
import type { RunResult, ScenarioResult } from './run-result.ts';
import { shortNumber, textTable } from './text-table.ts';

/** Columns of the table of scenarios; those that no scenario has are left out. */
const columns: readonly (readonly [figure: string, head: string])[] = [
  ['deliveries_per_s', 'deliv/s'],
  ['events_per_s', 'events/s'],
  ['ratio', 'ratio'],
  ['cpu_us_per_delivery', 'CPU µs/deliv'],
  ['cpu_us_per_event', 'CPU µs/event'],
  ['cpu_us_posthorn', 'posthorn'],
  ['cpu_us_api', 'api'],
  ['cpu_us_worker', 'worker'],
  ['cpu_us_postgres', 'postgres'],
  ['cpu_us_redis', 'redis'],
  ['statements_per_delivery', 'stmts/deliv'],
  ['redis_commands_per_delivery', 'redis/deliv'],
  ['wal_bytes_per_event', 'WAL B/event'],
  ['rss_mb', 'RSS MB'],
  ['loop_p99_ms_api', 'loop p99 api'],
  ['loop_p99_ms_worker', 'worker'],
  ['loop_p99_ms_posthorn', 'loop p99 ms'],
  ['p50_ms', 'p50 ms'],
  ['p99_ms', 'p99 ms'],
  ['p999_ms', 'p99.9 ms'],
  ['rate_of_1k', 'of 1k'],
  ['rate_of_first', 'of first'],
  ['longest_silence_ms', 'silence ms'],
  ['p99_ms_near', 'p99 near'],
  ['p99_ms_apart', 'p99 apart'],
  ['resumed_share', 'resumed'],
];

/** What a run prints: the machine, the limit, the scenarios, the goals beside the figures, and what went wrong. */
export function reportText(result: RunResult): string {
  return [
    headLines(result),
    scenarioTable(result.scenarios),
    goalTable(result.scenarios),
    problemLines(result.scenarios),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** The last line of a quick run, for machines. */
export function quickLine({ scenarios }: RunResult): string {
  const figure = (scenario: string, name: string) =>
    scenarios.find((one) => one.name === scenario)?.figures[name] ?? null;
  const text = (value: number | null, digits: number) => (value === null ? 'unknown' : value.toFixed(digits));
  const parts = {
    ratio: text(figure('batch100', 'ratio'), 2),
    deliveries_per_s: text(figure('batch100', 'deliveries_per_s'), 0),
    p99_ms: text(figure('latency1000', 'p99_ms'), 1),
    statements_per_delivery: text(figure('batch100', 'statements_per_delivery'), 4),
  };
  return Object.entries(parts)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function headLines({ at, commit, layout, bell, profiled, measuredSeconds, machine, limit }: RunResult): string {
  const { cpu, cores, memoryMb, node, postgres, embedded, loadAverageAtStart, loadAverageAtEnd } = machine;
  const processes = layout === 'one' ? 'API and worker in one process' : 'API and worker in a process each';
  return [
    `${at}  commit ${commit}  ${processes}, BullMQ on ${bell}, windows of ${measuredSeconds} s${profiled ? ', PROFILED: figures are not comparable' : ''}`,
    `${cpu}, ${cores} cores, ${memoryMb} MB, Node ${node}, Postgres ${postgres}${embedded ? ' embedded' : ''}; load average ${loadAverageAtStart} at the start, ${loadAverageAtEnd} at the end`,
    `limit: dispatch ${shortNumber(limit.dispatchCpuUs)} µs CPU, ${shortNumber(limit.dispatchPerSecond)}/s; over ${SPREAD.pools} pools of ${SPREAD.connections} connections ${shortNumber(limit.spreadCpuUs)} µs; Pool.request ${shortNumber(limit.requestCpuUs)} µs CPU, ${shortNumber(limit.requestPerSecond)}/s (one process)`,
  ].join('\n');
}

function scenarioTable(scenarios: readonly ScenarioResult[]): string {
  if (scenarios.length === 0) return '';
  const shown = columns.filter(([figure]) => scenarios.some(({ figures }) => figures[figure] !== undefined));
  const rows = scenarios.map(({ name, figures }) => [name, ...shown.map(([figure]) => figures[figure] ?? null)]);
  return textTable(['scenario', ...shown.map(([, head]) => head)], rows);
}

function goalTable(scenarios: readonly ScenarioResult[]): string {
  const verdicts = judgeGoals(scenarios);
  if (verdicts.length === 0) return '';
  return textTable(
    ['goal (2 cores, nothing else on the machine)', 'goal', 'figure', ''],
    verdicts.map(({ text, goal, value, verdict }) => [text, goal, value, verdict]),
  );
}

function problemLines(scenarios: readonly ScenarioResult[]): string {
  return scenarios
    .flatMap(({ name, problems }) => problems.map((problem) => `NOT as it should be: ${name}: ${problem}`))
    .join('\n');
}
