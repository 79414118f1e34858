import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type LogLine, startTestService, type TestService } from '../support/test-service.ts';

let receiver: Receiver;
let service: TestService;
let lines: LogLine[] = [];

beforeAll(async () => {
  lines = [];
  receiver = await startReceiver();
  service = await startTestService({ worker: true, onLine: (line) => lines.push(line) });
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
});

/** Those of one tenant. */
const linesOf = (event: string, tenant: string) =>
  lines.filter((line) => line.event === event && line.tenant_id === tenant);

const lineOf = async (event: string, tenant: string) =>
  (
    await eventually(
      async () => linesOf(event, tenant),
      (found) => found.length > 0,
    )
  )[0]!;

const post = (tenant: string) =>
  call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: tenant, data: {} });

test('lines name a tenant and an endpoint as the API does, whether anybody is told of it or not', async () => {
  const endpoint = await makeEndpoint(service, await makeTenant(service, 'acme'), { url: receiver.url });
  const { body } = await post('acme');
  const ids = { tenant_id: 'acme', endpoint_id: endpoint.id };
  expect(await lineOf('event.accepted', 'acme')).toMatchObject({ event_id: body.id, deliveries: 1 });
  expect(await lineOf('attempt.finished', 'acme')).toMatchObject(ids);
  await call(service.baseUrl, 'PATCH', `/v1/tenants/acme/endpoints/${endpoint.id}`, { enabled: false });
  expect(await lineOf('notices.told', 'acme')).toMatchObject({ ...ids, kind: 'endpoint.disabled', events: 0 });
  expect(lines.filter((line) => 'tenant' in line || 'endpoint' in line)).toEqual([]);
});

test('an endpoint that cannot be used is named as the API names it', async () => {
  const endpoint = await makeEndpoint(service, await makeTenant(service, 'sealed'), { url: receiver.url });
  await service.context.apiPool.query('UPDATE endpoint_secrets SET sealed = $1 WHERE endpoint_num = $2', [
    randomBytes(60),
    endpoint.num,
  ]);
  await post('sealed');
  expect(await lineOf('work.failed', 'sealed')).toMatchObject({ what: 'endpoint', endpoint_id: endpoint.id });
});
