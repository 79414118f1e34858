import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestService } from '../support/test-service.ts';

test('a receiver that asked for an hour of quiet is left alone by the next worker of its lane, too', async () => {
  const receiver = await startReceiver(
    (_request, response) => void response.writeHead(429, { 'retry-after': '3600' }).end(),
  );
  const service = await startTestService();
  onTestFinished(async () => {
    await service.stop();
    await receiver.close();
  });
  const endpoint = await makeEndpoint(service, await makeTenant(service, 'acme'), { url: receiver.url });
  const post = () => call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: {} });
  const rows = async (where: string) =>
    (await service.context.apiPool.query(`SELECT 1 FROM mailbox WHERE endpoint_num = $1 AND ${where}`, [endpoint.num]))
      .rows;
  const first = await startTestService({ databaseUrl: service.databaseUrl, worker: true });
  await post();
  await eventually(
    () => rows('attempt = 1'),
    (found) => found.length === 1,
  );
  await first.stop();
  const next = await startTestService({ databaseUrl: service.databaseUrl, worker: true });
  onTestFinished(() => next.stop());
  await post();
  // Whoever may not send now parks what is due: it has been looked at.
  await eventually(
    () => rows('attempt = 0 AND parked'),
    (found) => found.length === 1,
  );
  expect(receiver.requests).toHaveLength(1);
});
