import { verdict } from '../harness/judge.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario, Step } from '../harness/scenario.ts';
import { wait } from '../steps/flow.ts';
import { kill } from '../steps/processes.ts';

const PER_SECOND = 50;
const BURST = 10;
const TOLERANCE = 0.05;
/** While a dead worker's lane has no owner nothing is sent: a gap this long is no part of the rate. */
const GAP_MS = 500;

/** What a busy machine may hold up on the way, so that it arrives at once. */
const HELD_UP_MS = 250;

/** When the workers let requests through, by their own clock. */
async function departures({ play }: Outcome): Promise<number[]> {
  const rows = await play.query('SELECT started_at FROM attempts ORDER BY started_at');
  return rows.map((row) => row.started_at.getTime());
}

/** When the receiver got requests, from the first on for so long. */
async function receipts({ play }: Outcome, measuredMs: number): Promise<number[]> {
  const times: number[] = [];
  for await (const record of readLedger(play.ledgerPath)) {
    if (record.kind !== 'request') continue;
    if (times.length > 0 && record.atMs - times[0]! > measuredMs) break;
    times.push(record.atMs);
  }
  return times;
}

/** Most requests within any window of this length. */
function mostWithin(times: readonly number[], windowMs: number): number {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Windows of these times with more than the rate and the burst allow. What was held up on the way counts for as much more time. */
function windowsOf(times: readonly number[], lengthsMs: readonly number[], heldUpMs: number) {
  return lengthsMs.map((windowMs) => {
    const most = mostWithin(times, windowMs);
    const allowed = Math.ceil(((PER_SECOND * (windowMs + heldUpMs)) / 1000) * (1 + TOLERANCE)) + BURST;
    return { text: `${most} in ${windowMs / 1000} s (at most ${allowed})`, isHeld: most <= allowed };
  });
}

function windowsHold(name: string, windows: ReturnType<typeof windowsOf>) {
  const broken = windows.filter(({ isHeld }) => !isHeld).map(({ text }) => text);
  return verdict(name, broken, windows.map(({ text }) => text).join(', '));
}

async function check(outcome: Outcome, measuredMs: number) {
  const times = await receipts(outcome, measuredMs);
  const gaps = times.map((time, i) => (i === 0 ? 0 : time - times[i - 1]!)).filter((gap) => gap > GAP_MS);
  const awakeMs = measuredMs - gaps.reduce((sum, gap) => sum + gap, 0);
  const expected = (PER_SECOND * awakeMs) / 1000 + BURST * (1 + gaps.length);
  const text = `${times.length} requests in ${measuredMs / 1000} s, of which ${((measuredMs - awakeMs) / 1000).toFixed(1)} s without an owner; ${Math.round(expected)} expected`;
  const isExact = Math.abs(times.length - expected) <= expected * TOLERANCE;
  const lengthsMs = [1_000, 10_000, measuredMs];
  return [
    verdict('the rate is within 5 %', isExact ? [] : [text], text),
    windowsHold('no window is sent more than rate and burst', windowsOf(await departures(outcome), lengthsMs, 0)),
    windowsHold('no window is received more than rate and burst', windowsOf(times, lengthsMs, HELD_UP_MS)),
  ];
}

const limited = (measuredMs: number, kills: number, steps: readonly Step[]): Scenario => ({
  id: 'rate-limit',
  title: `50 a second with a burst of 10, measured at the receiver for ${measuredMs / 1000} s, through ${kills === 1 ? 'a kill' : `${kills} kills`} -9 of workers`,
  rows: [],
  expected: 'within 5 % of the rate, and never more than rate and burst in any window',
  endpoints: [
    { name: 'limited', settings: { rate_limit: { per_second: PER_SECOND, burst: BURST }, max_in_flight: 64 } },
  ],
  load: { perSecond: 80, events: (measuredMs / 1000) * 80 },
  steps,
  recoveryAtMostMs: 90_000,
  check: (outcome) => check(outcome, measuredMs),
});

const twoKills = [wait(15_000), kill('worker', 0, 500), wait(15_000), kill('worker', 1, 500), wait(32_000)];

export const rateLimit: Scenario = {
  ...limited(60_000, 2, twoKills),
  short: { ...limited(12_000, 1, [wait(4_000), kill('worker', 0, 500), wait(8_000)]), ci: true },
};
