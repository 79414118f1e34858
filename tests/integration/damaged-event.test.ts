import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestService } from '../support/test-service.ts';

test('an event whose stored bytes are damaged ends as a dead letter that is listed by its reason and says what is wrong; the others go on', async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const api = await startTestService();
  onTestFinished(() => api.stop());
  const options = { url: receiver.url, format: 'cloudevents', retry_schedule: [0] };
  await makeEndpoint(api, await makeTenant(api, 'acme'), options);
  const event = (id: string) => ({ id, type: 'a.b', tenant_id: 'acme', data: { secret: 'of the payload' } });
  await call(api.baseUrl, 'POST', '/v1/events', [event('first'), event('damaged'), event('last')]);
  await api.context.apiPool.query(
    `UPDATE events SET body = substring(body FROM 1 FOR length(body) - 20) WHERE external_id = 'damaged'`,
  );
  const worker = await startTestService({ databaseUrl: api.databaseUrl, worker: true });
  onTestFinished(() => worker.stop());
  await receiver.received(2);
  const listed = () => call(api.baseUrl, 'GET', '/v1/tenants/acme/dead-letters?reason=blocked');
  const { body } = await eventually(listed, (answer) => answer.body.data.length > 0);
  expect(body.data).toEqual([
    expect.objectContaining({
      event_id: 'damaged',
      reason: 'blocked',
      last_attempt: expect.objectContaining({ detail: expect.stringMatching(/bytes are damaged/) }),
    }),
  ]);
  expect(JSON.stringify(body)).not.toContain('of the payload');
  expect(receiver.requests.map(({ headers }) => headers['webhook-id']).sort()).toEqual(['first', 'last']);
});
