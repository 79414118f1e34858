import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { ok, startReceiver } from '../support/receiver.ts';
import { startTestService } from '../support/test-service.ts';

/** An event that the endpoint never had, sent to it by a replay that is cancelled while its receiver holds the request. */
async function cancelledInFlight() {
  const receiver = await startReceiver();
  const service = await startTestService({ worker: true });
  onTestFinished(async () => {
    await service.stop();
    await receiver.close();
  });
  const tenant = await makeTenant(service, 'acme');
  const event = await logEvent(service, tenant);
  const endpoint = await makeEndpoint(service, tenant, { url: receiver.url });
  const held = Promise.withResolvers<ServerResponse>();
  receiver.behave((_request, response) => held.resolve(response));
  const ask = async (method: string, path: string, body?: unknown) =>
    (await call(service.baseUrl, method, `/v1/tenants/acme${path}`, body)).body;
  const { id } = await ask('POST', '/replays', { endpoint_id: endpoint.id });
  const response = await held.promise;
  await ask('DELETE', `/replays/${id}`);
  receiver.behave(ok);
  return { receiver, endpoint, response, ask, id: deliveryIdOf(event, endpoint.num) };
}

test.each([
  { answer: 204, status: 'delivered' },
  { answer: 500, status: 'cancelled' },
])(
  'a first attempt that is under way when its replay is cancelled, and is answered $answer, makes the delivery $status, to be found and replayed by that',
  async ({ answer, status }) => {
    const { receiver, endpoint, response, ask, id } = await cancelledInFlight();
    response.writeHead(answer).end();
    const delivery = await eventually(
      () => ask('GET', `/deliveries/${id}`),
      (body) => body.attempts === 1,
    );
    expect(delivery.status).toBe(status);
    for (const filter of [`status=${status}`, `status=${status}&endpoint_id=${endpoint.id}`])
      expect((await ask('GET', `/deliveries?${filter}`)).data).toMatchObject([{ id, status }]);
    await ask('POST', '/replays', { status, endpoint_id: endpoint.id });
    expect(await receiver.received(2)).toHaveLength(2);
  },
);
