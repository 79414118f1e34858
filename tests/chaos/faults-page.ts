import { type FaultRow, faultList } from './fault-list.ts';
import { ciSubset } from './harness/ci-subset.ts';
import { type Measured, readResults } from './harness/results.ts';
import type { Scenario } from './harness/scenario.ts';
import { scenarios } from './scenarios/all.ts';
import { soak } from './scenarios/soak.ts';

/** The text of docs/faults.md: the fault list, what plays each row, and what was measured last. */
export function faultsPage(): string {
  const results = readResults();
  // How long the soak lasted is chosen anew each time.
  const lastSoak = soak(undefined, undefined);
  const all = [...scenarios, { ...lastSoak, title: results.soak?.title ?? lastSoak.title }];
  return `${[
    HEAD,
    '## Scenarios',
    '',
    ...table(
      ['scenario', 'what happens', 'what must be seen', 'recovery', 'lost', 'duplicates'],
      all.map((each) => scenarioRow(each, results[each.id])),
    ),
    '',
    '## The fault list',
    '',
    ...table(
      ['row', 'fault', 'played by', 'held by tests', 'why not here'],
      faultList.map((row) => faultRow(row, all)),
    ),
  ].join('\n')}\n`;
}

const HEAD = `# Faults

Written by \`npm run docs\` from \`tests/chaos\`. Every scenario starts Postgres, Redis where there is one, api and worker processes and a
receiver with an append-only ledger, injects its faults under load, heals, waits until nothing waits any more, and compares what the client
was told, what the receiver saw and what the database holds.

\`\`\`sh
npm run chaos -- --list
npm run chaos -- --scenario F11 --seed 7 --minutes 5
npm run chaos -- --all
npm run chaos -- --all --short
npm run chaos -- --soak --minutes 30
\`\`\`

\`--short\` plays a smaller variant of what takes minutes. With the tests run ${ciSubset(scenarios)
  .map(({ id }) => id)
  .join(', ')}.

The last line is \`PASS\` or \`FAIL\`, and the exit code says the same. The same seed draws the same faults. \`--keep\` leaves the ledger and
the logs of the processes, \`--backend postgres\` plays without Redis. Some scenarios need root (a small disk) or libfaketime (a wrong clock);
they say so and are skipped where it is missing, which counts as a failure when \`CI\` is set.

Measured on 2 cores with everything on one machine. Recovery is the time from the end of the last fault until nothing waits, the retries
of the receiver's schedule and of the lanes' leases included. Duplicates are answers with 2xx beyond the first, to one delivery.
`;

function scenarioRow({ id, title, expected }: Scenario, measured: Measured | undefined): string[] {
  if (measured === undefined || (measured.title ?? title) !== title)
    return [id, title, expected, 'not measured yet', '', ''];
  const { passed, recoverySeconds, lost, duplicates } = measured;
  const recovery = passed ? `${recoverySeconds} s` : `${recoverySeconds} s, **failed**`;
  return [id, title, expected, recovery, String(lost), String(duplicates)];
}

function faultRow({ id, fault, tests = [], notHere }: FaultRow, all: readonly Scenario[]): string[] {
  const players = all.filter(({ rows }) => rows.includes(id)).map((scenario) => scenario.id);
  return [id, fault, players.join(', '), tests.map((file) => `\`${file}\``).join(', '), notHere ?? ''];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
