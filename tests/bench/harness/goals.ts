import type { ScenarioResult } from './run-result.ts';

/** What issue 6 asks for, on two cores with nothing else on the machine. */
interface Goal {
  readonly scenario: string;
  readonly figure: string;
  readonly text: string;
  readonly is: 'most' | 'least';
  readonly bound: number;
}

const goals: readonly Goal[] = [
  { scenario: 'batch100', figure: 'ratio', text: 'CPU per delivery / limit, batches of 100', is: 'most', bound: 3.5 },
  {
    scenario: 'single',
    figure: 'ratio',
    text: 'CPU per delivery / limit, one event a request',
    is: 'most',
    bound: 5.5,
  },
  { scenario: 'fanout10', figure: 'ratio', text: 'CPU per delivery / limit, fan-out 10', is: 'most', bound: 3 },
  {
    scenario: 'batch100',
    figure: 'statements_per_delivery',
    text: 'Postgres statements per delivery',
    is: 'most',
    bound: 0.1,
  },
  {
    scenario: 'batch100',
    figure: 'redis_commands_per_delivery',
    text: 'Redis commands per delivery',
    is: 'most',
    bound: 0.1,
  },
  { scenario: 'batch100', figure: 'rss_mb', text: 'peak RSS of API and worker together, MB', is: 'most', bound: 400 },
  { scenario: 'latency1000', figure: 'p50_ms', text: 'p50 at 1,000 events/s, ms', is: 'most', bound: 5 },
  { scenario: 'latency1000', figure: 'p99_ms', text: 'p99 at 1,000 events/s, ms', is: 'most', bound: 25 },
  { scenario: 'sustain', figure: 'deliveries_per_s', text: 'deliveries/s, sustained', is: 'least', bound: 15_000 },
  { scenario: 'sustain', figure: 'rss_mb', text: 'peak RSS after minutes of load, MB', is: 'most', bound: 400 },
  {
    scenario: 'drain1m',
    figure: 'rate_of_1k',
    text: 'drain of 1M: rate, as a share of that of 1k',
    is: 'least',
    bound: 0.9,
  },
];

export interface Verdict {
  readonly text: string;
  /** `≤ 3.5` */
  readonly goal: string;
  readonly value: number | null;
  readonly verdict: 'met' | 'missed' | 'not measured';
}

/** The goals of the scenarios that were played. */
export function judgeGoals(results: readonly ScenarioResult[]): readonly Verdict[] {
  return goals.flatMap((goal) => {
    const played = results.find(({ name }) => name === goal.scenario);
    if (played === undefined) return [];
    const value = played.figures[goal.figure] ?? null;
    const text = `${goal.scenario}: ${goal.text}`;
    return [
      {
        text,
        goal: `${goal.is === 'most' ? '≤' : '≥'} ${goal.bound.toLocaleString('en')}`,
        value,
        verdict: verdictOf(goal, value),
      },
    ];
  });
}

function verdictOf({ is, bound }: Goal, value: number | null): Verdict['verdict'] {
  if (value === null) return 'not measured';
  return (is === 'most' ? value <= bound : value >= bound) ? 'met' : 'missed';
}
