import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

const RATE = 40;
const BURST = 40;
/** How long a sender that was refused waits: four of them still ask for ten times the limit. */
const REFUSED_MS = 10;
const limits = { events_per_second: RATE, burst_events: BURST };

/** Sends far more than the limit through these processes until so many were accepted. @returns how long it took, in seconds. */
async function flood(bases: readonly string[], accepted: number): Promise<number> {
  const startedMs = performance.now();
  let count = 0;
  const sender = async (base: string) => {
    while (count < accepted) {
      const { status } = await call(base, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
      expect([202, 429]).toContain(status);
      if (status === 202) count++;
      else await delay(REFUSED_MS);
    }
  };
  await Promise.all(bases.flatMap((base) => [sender(base), sender(base)]));
  return (performance.now() - startedMs) / 1000;
}

test('two API processes hold a tenant to its limit in total, and one that stops leaves its part to the other', async () => {
  const stage = await stageForTest();
  const [first, second] = await Promise.all([stage.start('api'), stage.start('api')]);
  await createEndpoint(first.baseUrl, { url: stage.receiver.url });
  await call(first.baseUrl, 'PATCH', `/v1/tenants/${TENANT}`, { limits });
  const both = [first.baseUrl, second.baseUrl];
  const stored = async () => (await stage.query('SELECT count(*)::int AS n FROM events'))[0].n as number;
  // What they may send at once is gone, and each has heard what comes to the other.
  await flood(both, 4 * RATE);
  const before = await stored();
  const seconds = await flood(both, 8 * RATE);
  expect((await stored()) - before).toBeLessThanOrEqual(BURST + RATE * seconds * 1.2);

  expect((await second.kill('SIGTERM')).code).toBe(0);
  expect(await stage.query('SELECT process FROM ingest_demand')).toHaveLength(1);
});
