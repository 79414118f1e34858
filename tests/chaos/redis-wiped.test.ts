import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { redisStageForFile } from '../support/redis-stage.ts';
import { TENANT } from '../support/stage.ts';

const staged = redisStageForFile();

test('G2, F11: FLUSHALL under load loses nothing and sends nothing twice', async () => {
  const on = staged();
  const loader = await on.load();
  for (let i = 0; i < 3; i++) {
    await on.redis.flushAll();
    await loader.acknowledged(loader.history.length + 20);
  }
  await on.expectUnharmed(loader);
});

test('G2, F11: a retry that waits for its timer is made although FLUSHALL took the timer', async () => {
  const on = staged();
  const { stage, endpoints, redis } = on;
  const path = `/v1/tenants/${TENANT}/endpoints/${endpoints[0]!.id}`;
  expect((await call(on.api, 'PATCH', path, { retry_schedule: [0, 8, 8, 8, 8, 8] })).status).toBe(200);
  const isFirst = ({ path: at, headers }: ReceivedRequest) => at === '/0' && headers['posthorn-attempt'] === '1';
  stage.receiver.behave((request, response) => void response.writeHead(isFirst(request) ? 503 : 204).end());
  const loader = on.sendOne();
  await loader.done;
  const from = stage.receiver.requests.length;
  await eventually(
    () => stage.query('SELECT 1 FROM mailbox WHERE attempt = 1'),
    (rows) => rows.length === 1,
  );
  await on.allAsleep();
  await redis.flushAll();
  const isRetry = ({ path: at, headers }: ReceivedRequest) => at === '/0' && headers['posthorn-attempt'] === '2';
  await eventually(
    async () => stage.receiver.requests.slice(from).some(isRetry),
    (isMade) => isMade,
  );
  await on.expectUnharmed(loader);
});
