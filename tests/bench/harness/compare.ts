import type { RunResult } from './run-result.ts';
import { textTable } from './text-table.ts';

/** Two runs side by side: every figure that either has, and by how much the second differs from the first. */
export function compareRuns(first: RunResult, second: RunResult): string {
  const rows = [...limitRows(first, second), ...scenarioRows(first, second)];
  return [
    `first:  ${headOf(first)}`,
    `second: ${headOf(second)}`,
    '',
    textTable(
      ['figure', 'first', 'second', 'change'],
      rows.map(([name, a, b]) => [name, a, b, changeOf(a, b)]),
    ),
  ].join('\n');
}

type Row = readonly [name: string, first: number | null, second: number | null];

function headOf({ at, commit, layout, bell, quick, machine }: RunResult): string {
  return `${at} ${commit}, ${layout}, BullMQ on ${bell}${quick ? ', quick' : ''}; ${machine.cpu}, ${machine.cores} cores, load average ${machine.loadAverageAtStart}`;
}

function limitRows({ limit: a }: RunResult, { limit: b }: RunResult): Row[] {
  return [
    ['limit: dispatch, CPU µs', a.dispatchCpuUs, b.dispatchCpuUs],
    ['limit: Pool.request, CPU µs', a.requestCpuUs, b.requestCpuUs],
    // Results of 2026-11-26 have none.
    ['limit: spread over many connections, CPU µs', a.spreadCpuUs ?? null, b.spreadCpuUs ?? null],
  ];
}

function scenarioRows(first: RunResult, second: RunResult): Row[] {
  const names = new Set([...first.scenarios, ...second.scenarios].map(({ name }) => name));
  return [...names].flatMap((name) => {
    const [a, b] = [first, second].map((run) => run.scenarios.find((one) => one.name === name)?.figures ?? {});
    const figures = new Set([...Object.keys(a!), ...Object.keys(b!)]);
    return [...figures].map((figure): Row => [`${name}: ${figure}`, a![figure] ?? null, b![figure] ?? null]);
  });
}

function changeOf(a: number | null, b: number | null): string {
  if (a === null || b === null || a === 0) return '';
  const percent = (b / a - 1) * 100;
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
}
