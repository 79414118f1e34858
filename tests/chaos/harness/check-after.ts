import { setTimeout as delay } from 'node:timers/promises';
import { type Verdict, verdict } from './judge.ts';
import type { Play } from './play.ts';
import { isReady } from './readiness.ts';
import type { Tally } from './tally.ts';

/** Of more endpoints some are looked at, spread evenly. */
const MOST_COUNTERS = 500;
/** Faults of one kind that are told. */
const MOST_TOLD = 5;
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

type Counted = Pick<Play, 'endpoints' | 'call' | 'query'>;

/** I12: what the API counts for each endpoint is what the database holds. Only one that was deleted has no statistics. */
export async function checkCounters(play: Counted, tally: Pick<Tally, 'doneByEndpoint'>): Promise<Verdict> {
  const faults: string[] = [];
  const { endpoints } = play;
  const everySoMany = Math.ceil(endpoints.length / MOST_COUNTERS);
  const gone = new Set((await play.query('SELECT id FROM endpoints WHERE deleted_at IS NOT NULL')).map(({ id }) => id));
  const seen = { compared: 0, deleted: 0, sampled: 0 };
  for (const [index, { id, tenant }] of endpoints.entries()) {
    if (index % everySoMany !== 0) continue;
    const isGone = gone.has(id);
    const asked = play.call('GET', `/v1/tenants/${tenant}/endpoints/${id}/stats`, undefined, isGone ? 404 : 200);
    const stats = await asked.catch((error: Error) => error);
    const done = tally.doneByEndpoint[index] ?? 0;
    if (stats instanceof Error) faults.push(`endpoint ${index}: ${stats.message}`);
    else if (isGone) seen.deleted++;
    else {
      // Of one with very many attempts only the newest are counted.
      seen[stats.sampled ? 'sampled' : 'compared']++;
      const agrees = stats.sampled ? stats.delivered <= done : stats.delivered === done;
      if (!agrees) faults.push(`endpoint ${index}: ${stats.delivered} in its statistics, ${done} in the database`);
    }
  }
  return verdict(
    'I12 the counters agree with the database',
    faults.slice(0, MOST_TOLD),
    `${seen.compared} of ${endpoints.length} endpoints, ${seen.sampled} by their newest attempts, ${seen.deleted} deleted`,
  );
}

/** I7: a key of one tenant sees nothing of another, where it sees its own. */
export async function checkWalls(play: Pick<Play, 'endpoints' | 'call' | 'api'>): Promise<Verdict> {
  const tenants = [...new Set(play.endpoints.map(({ tenant }) => tenant))];
  const [own, other] = tenants;
  const name = 'I7 a key of one tenant sees nothing of another';
  if (own === undefined || other === undefined) return verdict(name, [], 'one tenant');
  const { key } = await play.call('POST', `/v1/tenants/${own}/keys`, { name: 'walls', scopes: SCOPES }, 201);
  const endpoint = play.endpoints.find(({ tenant }) => tenant === other)!.id;
  const lists = ['events', 'deliveries', 'endpoints'];
  const foreign = [...lists, `endpoints/${endpoint}`, `endpoints/${endpoint}/stats`];
  const wanted = [
    ...foreign.map((path) => ({ path: `${other}/${path}`, status: 404 })),
    ...lists.map((path) => ({ path: `${own}/${path}`, status: 200 })),
  ];
  const statuses = await Promise.all(wanted.map(({ path }) => statusOf(`${play.api}/v1/tenants/${path}`, key)));
  const faults = wanted.flatMap(({ path, status }, i) =>
    statuses[i] === status ? [] : [`${path} answered ${statuses[i]}, not ${status}`],
  );
  return verdict(name, faults, `${foreign.length} reads answered 404, ${lists.length} of its own 200`);
}

const SCOPES = ['events:read', 'endpoints:read', 'deliveries:read'];

async function statusOf(url: string, key: string): Promise<number> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
  await answer.body?.cancel();
  return answer.status;
}
