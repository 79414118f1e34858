import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receiver.ts';
import { createEndpoint, TENANT } from '../support/stage.ts';
import { startTestService } from '../support/test-service.ts';

test.each([204, 500])(
  'G2: a delivery that was cancelled and retried while its request was under way is sent again, though the first is then answered %i',
  async (status) => {
    const held: ServerResponse[] = [];
    const receiver = await startReceiver((_request, response, index) =>
      index === 0 ? void held.push(response) : void response.writeHead(204).end(),
    );
    const service = await startTestService({ worker: true });
    onTestFinished(async () => {
      await service.stop();
      await receiver.close();
    });
    const api = (method: string, path: string) => call(service.baseUrl, method, `/v1/tenants/${TENANT}${path}`);
    await createEndpoint(service.baseUrl, { url: receiver.url, retry_schedule: [0], timeout_seconds: 60 });
    const event = { type: 'a.b', tenant_id: TENANT, data: {} };
    expect((await call(service.baseUrl, 'POST', '/v1/events', event)).status).toBe(202);
    await receiver.received(1);
    const delivery = `/deliveries/${(await api('GET', '/deliveries')).body.data[0].id}`;
    expect((await api('POST', `${delivery}/cancel`)).status).toBe(202);
    expect((await api('POST', `${delivery}/retry`)).status).toBe(202);
    held[0]!.writeHead(status).end();
    await receiver.received(2);
    await eventually(
      () => api('GET', delivery),
      ({ body }) => body.status === 'delivered',
    );
    const { data } = (await api('GET', `${delivery}/attempts`)).body;
    expect(data.filter(({ is_late }: { is_late: boolean }) => is_late)).toMatchObject([{ number: 1, status }]);
  },
);
