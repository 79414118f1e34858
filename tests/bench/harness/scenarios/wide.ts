import { setTimeout as delay, setInterval as every } from 'node:timers/promises';
import type { SavedGate } from '../../../../src/delivery/gate.ts';
import { newId } from '../../../../src/domain/ids.ts';
import { query } from '../../../support/query.ts';
import { monotonicMs } from '../monotonic-ms.ts';
import { percentiles } from '../percentiles.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { OPERATOR_KEY } from '../system.ts';
import { figuresBetween } from '../window.ts';

const ENDPOINTS = 5_000;
const EVERY_MS = 500;
const TENANT = 'bench-wide';
const TYPE = 'bench.wide';
/** The longest that a receiver is given. */
const PAUSE_MS = 86_400_000;
/** After a wide event: what is sent so soon may share a statement with it, and what is sent then does not. */
const NEAR_MS = 100;
const APART_MS = [250, 500] as const;

interface WideEvent {
  readonly sentMs: number;
  readonly tookMs: number;
}

/** What docs/adr/0017 says of large fan-out: their neighbours' answers are as fast as ever. */
export const wideScenario: Scenario = {
  name: 'wide',
  title: `100 events/s, and two a second of another tenant for ${ENDPOINTS.toLocaleString('en')} closed endpoints: the answers soon after those and apart from them`,
  stage: { plan: { tenants: 10, groups: 100, fanOut: 1 } },
  play: async (stage, play) => {
    await makeClosedEndpoints(stage);
    stage.load.open(100);
    const wide: WideEvent[] = [];
    const posting = new AbortController();
    const posts = postWideEvents(stage, wide, posting.signal);
    await delay(play.warmUpMs);
    const fromMs = monotonicMs();
    const [before, after] = await stage.window(0, play.measureMs);
    posting.abort();
    await posts;
    await removeWideDeliveries(stage);
    const { intended, accepted } = await stage.load.times();
    const answersWithin = (least: number, most: number) => {
      const chosen = [...intended.keys()].filter((n) => {
        const since = sinceWide(wide, intended[n]!);
        return intended[n]! >= fromMs && accepted[n]! > 0 && since >= least && since < most;
      });
      return percentiles(Float64Array.from(chosen, (n) => accepted[n]! - intended[n]!));
    };
    const [near, apart] = [answersWithin(0, NEAR_MS), answersWithin(...APART_MS)];
    return {
      ...figuresBetween(before, after, 'event'),
      p90_ms_near: near.p90,
      p90_ms_apart: apart.p90,
      p99_ms_near: near.p99,
      p99_ms_apart: apart.p99,
      p50_ms_of_wide: percentiles(Float64Array.from(wide, ({ tookMs }) => tookMs)).p50,
      wide_events: wide.length,
    };
  },
};

/** By SQL, and as if they had asked for a pause of a day: the deliveries are written and wait. */
async function makeClosedEndpoints({ databaseUrl }: Stage): Promise<void> {
  const ids = Array.from({ length: ENDPOINTS }, () => newId('ep', Date.now()));
  const atMs = Date.now();
  const gate: SavedGate = {
    breaker: null,
    bucket: { tokens: 0, atMs, throttledUntilMs: atMs + PAUSE_MS },
    failingSinceMs: null,
  };
  await query(
    databaseUrl,
    `WITH tenant AS (INSERT INTO tenants (id, name) VALUES ($1, $1) RETURNING num),
          made AS (INSERT INTO endpoints (id, tenant_num, url, subscriptions)
                   SELECT ids.id, num, 'http://127.0.0.1:9/', $3 FROM tenant, unnest($2::text[]) AS ids(id) RETURNING num)
     INSERT INTO endpoint_states (endpoint_num, gate, closed_until) SELECT num, $4, to_timestamp($5::float8 / 1000) FROM made`,
    [TENANT, ids, JSON.stringify([{ types: [TYPE] }]), JSON.stringify(gate), atMs + PAUSE_MS],
  );
}

async function postWideEvents(stage: Stage, wide: WideEvent[], signal: AbortSignal): Promise<void> {
  const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ type: TYPE, tenant_id: TENANT, data: { wide: true } });
  const post = async () => {
    const sentMs = monotonicMs();
    const answer = await fetch(`${stage.system.baseUrl}/v1/events`, { method: 'POST', headers, body });
    const { deliveries } = (await answer.json()) as { deliveries?: number };
    if (deliveries !== ENDPOINTS)
      throw new Error(`a wide event was answered ${answer.status}, ${deliveries} deliveries`);
    wide.push({ sentMs, tookMs: monotonicMs() - sentMs });
  };
  const posts: Promise<void>[] = [];
  try {
    for await (const _ of every(EVERY_MS, null, { signal })) posts.push(post());
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  await Promise.all(posts);
}

/** They would wait for a day; the check at the end is of the others. */
async function removeWideDeliveries({ databaseUrl }: Stage): Promise<void> {
  const of = `tenant_num = (SELECT num FROM tenants WHERE id = $1)`;
  await query(databaseUrl, `DELETE FROM expansions WHERE ${of}`, [TENANT]);
  await query(databaseUrl, `DELETE FROM mailbox WHERE ${of}`, [TENANT]);
}

/** Milliseconds since the last wide event before that moment; infinite where there was none. */
function sinceWide(wide: readonly WideEvent[], atMs: number): number {
  const last = wide.findLast(({ sentMs }) => sentMs <= atMs);
  return last === undefined ? Number.POSITIVE_INFINITY : atMs - last.sentMs;
}
