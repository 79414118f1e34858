import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { endpointCount, groupOf, type Plan, tenantOf, typeOf } from './plan.ts';
import { OPERATOR_KEY } from './system.ts';

/** Fields of the API. */
export type EndpointSettings = Readonly<Record<string, unknown>>;

export interface EndpointsToMake {
  readonly plan: Plan;
  readonly baseUrl: string;
  readonly ports: readonly number[];
  readonly tls: boolean;
  readonly settings: EndpointSettings;
}

const AT_ONCE = 16;
const TRIES = 20;
const PAUSE_MS = 250;

/** Makes the tenants and endpoints of a plan. @returns the secrets, by number of endpoint @throws Error when the API refuses one */
export async function createEndpoints({
  plan,
  baseUrl,
  ports,
  tls,
  settings,
}: EndpointsToMake): Promise<Record<number, string>> {
  const pool = new Pool(baseUrl, { connections: AT_ONCE });
  const secrets: Record<number, string> = {};
  try {
    await each(plan.tenants, (i) => post(pool, '/v1/tenants', { id: tenantOf(plan, i) }));
    await each(endpointCount(plan), async (endpoint) => {
      const group = groupOf(plan, endpoint);
      const { secret } = await post(pool, `/v1/tenants/${tenantOf(plan, group)}/endpoints`, {
        url: `${tls ? 'https' : 'http'}://127.0.0.1:${ports[endpoint % ports.length]}/${endpoint}`,
        subscriptions: [{ types: [typeOf(group)] }],
        ...settings,
      });
      secrets[endpoint] = String(secret);
    });
    return secrets;
  } finally {
    await pool.destroy();
  }
}

async function each(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const slot = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, slot));
}

/** Tried again for a while as long as the answer is 503: right after its start, on a machine that is busy, a service may be short of something. */
async function post(pool: Pool, path: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };
  for (let tries = 1; ; tries++) {
    const answer = await pool.request({ path, method: 'POST', headers, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode === 201) return JSON.parse(text) as Record<string, unknown>;
    if (answer.statusCode !== 503 || tries === TRIES)
      throw new Error(`POST ${path} answered ${answer.statusCode}: ${text}`);
    await delay(PAUSE_MS);
  }
}
