import { expect, test } from 'vitest';
import { laneOf } from '../../src/routing/lane-of.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { receiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, type Stage, stageForTest } from '../support/stage.ts';
import { TEST_LANES } from '../support/test-server.ts';

const BACKLOG = 2_000;
const MAX_IN_FLIGHT = 16;
const EVENTS = 50;

async function laneOfEndpoint(stage: Stage, id: string): Promise<number> {
  const [row] = await stage.query('SELECT num FROM endpoints WHERE id = $1', [id]);
  return laneOf(row.num, TEST_LANES);
}

/** An endpoint of another tenant in the same lane, where the backlog would hurt it most. */
async function neighbourOf(stage: Stage, api: string, id: string, url: string) {
  const lane = await laneOfEndpoint(stage, id);
  for (;;) {
    const endpoint = await createEndpoint(api, { url, enabled: false }, 'healthy');
    if ((await laneOfEndpoint(stage, endpoint.id)) !== lane) continue;
    await call(api, 'PATCH', `/v1/tenants/healthy/endpoints/${endpoint.id}`, { enabled: true });
    return endpoint;
  }
}

test('G4, F47: an endpoint that hangs with 2,000 deliveries waiting does not hold up its neighbour in the lane, and never has more than its cap', async () => {
  const stage = await stageForTest();
  const receiver = receiverPaths(stage.receiver);
  receiver.behave('/hung', () => {});
  // Apart, so that nothing but its own look at the table wakes the worker.
  const [{ baseUrl: api }] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const hung = await createEndpoint(
    api,
    { url: receiver.url('/hung'), max_in_flight: MAX_IN_FLIGHT, timeout_seconds: 120 },
    'hung',
  );
  await neighbourOf(stage, api, hung.id, receiver.url('/healthy'));
  for (let sent = 0; sent < BACKLOG; sent += 1_000) {
    await call(api, 'POST', '/v1/events', Array(1_000).fill({ type: 'a.b', tenant_id: 'hung', data: {} }));
  }
  await receiver.received('/hung', MAX_IN_FLIGHT);
  for (let i = 1; i <= EVENTS; i++) {
    await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'healthy', data: {} });
    // Each arrives while the hung ones still hang: none of those ends within two minutes.
    await receiver.received('/healthy', i);
  }
  expect(receiver.at('/hung')).toHaveLength(MAX_IN_FLIGHT);
  const [{ count }] = await stage.query(`SELECT count(*)::int AS count FROM mailbox`);
  expect(count).toBeGreaterThanOrEqual(BACKLOG);
});

test('G4: a worker whose memory is full of what waits for a hung endpoint still delivers for others, and the backlog when it answers again', async () => {
  const stage = await stageForTest();
  const receiver = receiverPaths(stage.receiver);
  const held: (() => void)[] = [];
  receiver.behave('/hung', (_request, response) => void held.push(() => response.writeHead(204).end()));
  const [{ baseUrl: api }] = await Promise.all([
    stage.start('api'),
    stage.start('worker', { MAX_DELIVERIES_IN_FLIGHT: '64' }),
  ]);
  const hung = await createEndpoint(
    api,
    { url: receiver.url('/hung'), max_in_flight: 8, timeout_seconds: 120 },
    'hung',
  );
  await call(api, 'POST', '/v1/events', Array(1_000).fill({ type: 'a.b', tenant_id: 'hung', data: {} }));
  await receiver.received('/hung', 8);
  await neighbourOf(stage, api, hung.id, receiver.url('/healthy'));
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'healthy', data: {} });
  await receiver.received('/healthy', 1);
  expect(receiver.at('/hung')).toHaveLength(8);
  receiver.behave('/hung', (_request, response) => void response.writeHead(204).end());
  for (const answer of held) answer();
  await eventually(
    () => stage.query('SELECT count(*)::int AS count FROM mailbox'),
    ([row]) => row.count === 0,
  );
  expect(receiver.at('/hung')).toHaveLength(1_000);
  expect(new Set(receiver.at('/hung').map(({ headers }) => headers['webhook-id'])).size).toBe(1_000);
});
