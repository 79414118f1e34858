import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryIdOf, eventIdOf } from '../../src/domain/ids.ts';
import { AUDIT_ACTIONS } from '../../src/store/audit-actions.ts';
import { disableEndpoint } from '../../src/store/disable-endpoint.ts';
import { resetsOf } from '../../src/store/endpoint-states.ts';
import { claimValidations, recordValidation } from '../../src/store/endpoint-validations.ts';
import { applySourcesFile } from '../../src/store/sources.ts';
import { call } from '../support/api.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import {
  logAttempt,
  logEvent,
  logPaused,
  logWaiting,
  makeEndpoint,
  makeTenant,
  type TestTenant,
} from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

/** Secrets that calls have answered with. */
const secrets: string[] = [];

/** Makes the call, which must succeed. @returns its answer */
async function done(method: string, path: string, body?: unknown) {
  const answer = await call(service.baseUrl, method, path, body);
  if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  const { secret, key } = answer.body ?? {};
  secrets.push(...[secret, key].filter((value) => typeof value === 'string'));
  return answer.body;
}

/** What each of these calls left on record, oldest first. */
async function recorded(): Promise<readonly string[][]> {
  const { rows } = await service.context.apiPool.query('SELECT actor, action, object FROM audit_log ORDER BY id');
  return rows.map(({ actor, action, object }) => [actor, action, object]);
}

const pausing = { order: 'endpoint', on_dead_letter: 'pause' };

/** All that is done to endpoints. @returns what must be on record of it */
async function changeEndpoints(tenant: TestTenant) {
  const { id, num } = await makeEndpoint(service, tenant, pausing);
  const path = `/v1/tenants/${tenant.id}/endpoints/${id}`;
  await done('PATCH', path, { validation: 'cloudevents' });
  for (const result of [
    { kind: 'validated', origin: 'a.example', allowedPerMinute: null },
    { kind: 'refused', detail: 'It said no.' },
  ] as const) {
    await done('POST', `${path}/validate`);
    const [claimed] = await claimValidations(service.context.workerPool, 1, 60_000);
    expect(await recordValidation(service.context.workerPool, claimed!, result)).toBe(true);
  }
  await done('GET', `${path}/secret`);
  await done('POST', `${path}/secret/rotate`, {});
  await done('POST', `${path}/breaker/reset`);
  const dead = await logEvent(service, tenant);
  await logAttempt(service, tenant, dead, { id, num }, 1, 'rejected', 'deadLetter');
  await logPaused(service, tenant, dead, { id, num });
  await done('POST', `${path}/paused-keys/resume`, {});
  await disableEndpoint(service.context.prisma, num, 'It answered 410.', await resetsOf(service.context.prisma, num));
  await done('DELETE', path);
  return [
    ['operator', 'endpoint.created', id],
    ['operator', 'endpoint.updated', id],
    ['operator', 'endpoint.validation_asked', id],
    ['system', 'endpoint.validated', id],
    ['operator', 'endpoint.validation_asked', id],
    ['system', 'endpoint.validation_refused', id],
    ['operator', 'endpoint.secret_rotated', id],
    ['operator', 'endpoint.breaker_reset', id],
    ['operator', 'endpoint.keys_resumed', id],
    ['system', 'endpoint.disabled', id],
    ['operator', 'endpoint.deleted', id],
  ];
}

/** All that people do to deliveries and events. @returns what must be on record of it */
async function changeDeliveries(tenant: TestTenant) {
  const endpoint = await makeEndpoint(service, tenant);
  const root = `/v1/tenants/${tenant.id}`;
  const [waiting, dead] = [await logEvent(service, tenant), await logEvent(service, tenant)];
  await logWaiting(service, tenant, waiting, endpoint);
  await logAttempt(service, tenant, dead, endpoint, 1, 'rejected', 'deadLetter');
  const [waits, died] = [deliveryIdOf(waiting, endpoint.num), deliveryIdOf(dead, endpoint.num)];
  await done('POST', `${root}/deliveries/${waits}/cancel`);
  await done('POST', `${root}/deliveries/${waits}/retry`);
  await done('POST', `${root}/dead-letters/purge`, { delivery_ids: [died] });
  const replay = await done('POST', `${root}/replays`, {});
  await done('DELETE', `${root}/replays/${replay.id}`);
  const expunged = eventIdOf(dead);
  await done('DELETE', `${root}/events/${expunged}/payload`);
  return [
    ['operator', 'endpoint.created', endpoint.id],
    ['operator', 'delivery.cancelled', waits],
    ['operator', 'delivery.retried', waits],
    ['operator', 'dead_letters.purged', tenant.id],
    ['operator', 'replay.created', replay.id],
    ['operator', 'replay.cancelled', replay.id],
    ['operator', 'event.expunged', expunged],
  ];
}

/** All that is done to event types. @returns what must be on record of it */
async function changeEventTypes({ id }: TestTenant) {
  const type = `/v1/tenants/${id}/event-types/order.paid`;
  await done('PUT', `${type}/versions/1.0`, { schema: {} });
  await done('PATCH', type, { description: 'Paid.' });
  await done('PATCH', `${type}/versions/1.0`, { state: 'deprecated' });
  return [
    ['operator', 'event_type.created', 'order.paid'],
    ['operator', 'event_type_version.created', 'order.paid@1.0'],
    ['operator', 'event_type.updated', 'order.paid'],
    ['operator', 'event_type_version.updated', 'order.paid@1.0'],
  ];
}

/** All that is done to sources, by the API and by the file. @returns what must be on record of it */
async function changeSources() {
  const { apiPool } = service.context;
  const { id } = await done('POST', '/v1/sources', kafkaSource('127.0.0.1:1', ['orders'], { tenant_id: undefined }));
  const path = `/v1/sources/${id}`;
  await done('POST', `${path}/pause`);
  await done('POST', `${path}/resume`);
  await apiPool.query(
    `INSERT INTO rejected_messages (id, source_num, position, identity, message_group, reason, detail, body, body_bytes, truncated)
     SELECT gen_random_uuid(), num, 'orders/0/1', gen_random_uuid(), 'orders/0', 'invalid_event', '', '{}', 2, false FROM sources`,
  );
  await done('POST', `${path}/rejected/retry`, {});
  await done('POST', `${path}/rejected/discard`, {});
  await done('DELETE', path);
  const inFile = (topic: string) => [{ name: 'file', type: 'kafka', plain: { topic }, secrets: {} }];
  for (const sources of [inFile('a'), inFile('b')]) await applySourcesFile(service.context, sources);
  const file = (await done('GET', '/v1/sources')).data[0].id;
  return [
    ['operator', 'source.created', id],
    ['operator', 'source.paused', id],
    ['operator', 'source.resumed', id],
    ['operator', 'source.rejected_retried', id],
    ['operator', 'source.rejected_discarded', id],
    ['operator', 'source.deleted', id],
    ['system', 'source.created', file],
    ['system', 'source.updated', file],
  ];
}

test('G8: whatever is changed is on record once, in the words that the log has for it, with who did it, and without any secret', async () => {
  const tenant = await makeTenant(service, 'acme');
  await done('PATCH', '/v1/tenants/acme', { name: 'Acme' });
  const key = (await done('POST', '/v1/tenants/acme/keys', {})).id;
  await done('DELETE', `/v1/tenants/acme/keys/${key}`);
  const expected = [
    ['operator', 'tenant.created', 'acme'],
    ['operator', 'tenant.updated', 'acme'],
    ['operator', 'key.created', key],
    ['operator', 'key.revoked', key],
    ...(await changeEndpoints(tenant)),
    ...(await changeDeliveries(tenant)),
    ...(await changeEventTypes(tenant)),
    ...(await changeSources()),
  ];
  await done('DELETE', '/v1/tenants/acme');
  expect(await recorded()).toEqual([...expected, ['operator', 'tenant.deleted', 'acme']]);
  const { rows } = await service.context.apiPool.query('SELECT * FROM audit_log');
  expect(new Set(secrets).size).toBe(3);
  for (const secret of secrets) expect(JSON.stringify(rows)).not.toContain(secret.replace(/^whsec_/, ''));
  expect([...new Set((await recorded()).map(([, action]) => action))].sort()).toEqual([...AUDIT_ACTIONS]);
});
