import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { neighbourOf } from '../support/neighbour.ts';
import { receiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, stageForTest } from '../support/stage.ts';

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
