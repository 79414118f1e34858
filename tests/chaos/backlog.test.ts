import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { neighbourOf } from '../support/neighbour.ts';
import { receiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, stageForTest } from '../support/stage.ts';

const BACKLOG = 2_000;
const MAX_IN_FLIGHT = 16;
const EVENTS = 50;

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
