import { expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { listMigrations } from '../../src/store/migration-files.ts';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, logWaiting, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService } from '../support/test-service.ts';

test('a delivery that an earlier version left without an end, its replay cancelled during an attempt, is cancelled by its id and in the list alike; others stay as they are', async () => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant);
  const ask = async (method: string, path: string, body?: unknown) =>
    (await call(service.baseUrl, method, `/v1/tenants/acme${path}`, body)).body;
  const log = async (...attempts: [Parameters<typeof logAttempt>[5], Parameters<typeof logAttempt>[6]][]) => {
    const event = await logEvent(service, tenant);
    for (const [i, [outcome, decision]] of attempts.entries())
      await logAttempt(service, tenant, event, endpoint, i + 1, outcome, decision);
    return event;
  };
  const left = await log(['rejected', 'late']);
  const waiting = await log(['rejected', 'retry']);
  await logWaiting(service, tenant, waiting, endpoint, 1);
  const dead = await log(['rejected', 'deadLetter'], ['rejected', 'late']);
  const delivered = await log(['delivered', 'done']);
  const statusOf = async (event: string) =>
    (await ask('GET', `/deliveries/${deliveryIdOf(event, endpoint.num)}`)).status;
  const statuses = async () => [
    await statusOf(left),
    await statusOf(waiting),
    await statusOf(dead),
    await statusOf(delivered),
  ];
  const listed = async () =>
    (await ask('GET', '/deliveries?status=cancelled')).data.map(({ id }: { id: string }) => id);
  const before = ['cancelled', 'retrying', 'dead_lettered', 'delivered'];
  expect(await statuses()).toEqual(before);
  expect(await listed()).toEqual([]);

  // Nothing moves it: there is no worker.
  const { id } = await ask('POST', '/replays', { endpoint_id: endpoint.id });
  await ask('DELETE', `/replays/${id}`);
  const mending = (await listMigrations()).find(({ name }) => name.endsWith('_ends_of_withdrawn'))!;
  const entries = async () => {
    await service.context.workerPool.query(mending.script);
    return (await service.context.workerPool.query('SELECT FROM attempts')).rowCount;
  };
  expect(await entries()).toBe(6);
  // Done again, it finds nothing.
  expect(await entries()).toBe(6);
  expect(await statuses()).toEqual(before);
  expect(await listed()).toEqual([deliveryIdOf(left, endpoint.num)]);
  expect(await ask('GET', `/deliveries/${deliveryIdOf(left, endpoint.num)}`)).toMatchObject({
    attempts: 1,
    last_attempt: { number: 3, outcome: 'skipped', detail: 'replay_cancelled' },
  });
});
