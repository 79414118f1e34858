import { setTimeout as delay } from 'node:timers/promises';
import { type Verdict, verdict } from './judge.ts';
import type { Play } from './play.ts';
import { isReady } from './readiness.ts';
import type { Tally } from './tally.ts';

/** Of more endpoints some are looked at, spread evenly. */
const MOST_COUNTERS = 500;
const READY_WITHIN_MS = 15_000;

/** I10: every process, started again if it had ended, says that it can work. */
export async function checkReadiness({ apis, workers }: Play): Promise<Verdict> {
  const end = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const living = [...apis.living, ...workers.living];
    const answers = await Promise.all(living.map(({ baseUrl }) => isReady(baseUrl)));
    const unready = living.filter((_, i) => !answers[i]).map(({ pid }) => `process ${pid} is not ready`);
    if (unready.length === 0 || performance.now() > end)
      return verdict('I10 every process is ready again', unready, `${living.length} processes`);
    await delay(200);
  }
}

/** I12: what the API counts for each endpoint is what the database holds. */
export async function checkCounters(play: Play, tally: Tally): Promise<Verdict> {
  const faults: string[] = [];
  const { endpoints } = play;
  const everySoMany = Math.ceil(endpoints.length / MOST_COUNTERS);
  for (const [index, { id, tenant }] of endpoints.entries()) {
    if (index % everySoMany !== 0) continue;
    const stats = await play.call('GET', `/v1/tenants/${tenant}/endpoints/${id}/stats`).catch(() => null);
    // One that was deleted has no statistics; of one with very many attempts only the newest are counted.
    if (stats === null || stats.sampled) continue;
    const done = tally.doneByEndpoint[index] ?? 0;
    if (stats.delivered !== done)
      faults.push(`endpoint ${index}: ${stats.delivered} in its statistics, ${done} in the database`);
  }
  return verdict(
    'I12 the counters agree with the database',
    faults,
    `${Math.ceil(endpoints.length / everySoMany)} of ${endpoints.length} endpoints`,
  );
}

/** I7: a key of one tenant sees nothing of another. */
export async function checkWalls(play: Play): Promise<Verdict> {
  const tenants = [...new Set(play.endpoints.map(({ tenant }) => tenant))];
  const [own, other] = tenants;
  const name = 'I7 a key of one tenant sees nothing of another';
  if (own === undefined || other === undefined) return verdict(name, [], 'one tenant');
  const { key } = await play.call('POST', `/v1/tenants/${own}/keys`, { name: 'walls', scopes: SCOPES }, 201);
  const endpoint = play.endpoints.find(({ tenant }) => tenant === other)!.id;
  const paths = ['events', 'deliveries', 'endpoints', `endpoints/${endpoint}`, `endpoints/${endpoint}/stats`];
  const statuses = await Promise.all(paths.map((path) => statusOf(`${play.api}/v1/tenants/${other}/${path}`, key)));
  const faults = paths.filter((_, i) => statuses[i] !== 404).map((path, i) => `${path} answered ${statuses[i]}`);
  return verdict(name, faults, `${paths.length} reads answered 404`);
}

const SCOPES = ['events:read', 'endpoints:read', 'deliveries:read'];

async function statusOf(url: string, key: string): Promise<number> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
  await answer.body?.cancel();
  return answer.status;
}
