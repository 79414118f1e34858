import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { decodeBase32, formatUuid, parseEventId, uuidTime } from '../../src/domain/ids.ts';
import { claimRetries } from '../../src/store/rejected-messages.ts';
import { call } from '../support/api.ts';
import { kafkaSource } from '../support/kafka-source.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

const DAY_MS = 86_400_000;
/** Further than there are partitions. */
const AHEAD_MS = 10 * DAY_MS;
const NEAR_MS = 60_000;

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + AHEAD_MS }));

afterEach(() => void vi.useRealTimers());

async function post(path: string, body: object) {
  const answer = await call(service.baseUrl, 'POST', path, body);
  expect(answer.status).toBeLessThan(300);
  return answer.body;
}

/** Of an id, beside Postgres's now, in ms. */
async function distanceOf(id: string): Promise<number> {
  const uuid = formatUuid(decodeBase32(id.slice(id.indexOf('_') + 1), 16)!);
  const { rows } = await service.context.apiPool.query('SELECT extract(epoch FROM clock_timestamp())::float8 AS now');
  return Math.abs(uuidTime(uuid) - rows[0].now * 1_000);
}

test('G1 events are taken by a host whose clock is days ahead, whatever was made by it before', async () => {
  const { id: tenant } = await post('/v1/tenants', {});
  const at = `/v1/tenants/${tenant}`;
  const { id: key } = await post(`${at}/keys`, {});
  const { id: endpoint } = await post(`${at}/endpoints`, { url: 'http://127.0.0.1:9/' });
  await post(`${at}/endpoints/${endpoint}/secret/rotate`, { overlap_seconds: 60 });
  const { id: replay } = await post(`${at}/replays`, { endpoint_id: endpoint });
  const { id: source } = await post('/v1/sources', kafkaSource('127.0.0.1:9', ['ahead'], { tenant_id: tenant }));
  const { id: event } = await post('/v1/events', { type: 'a.b', tenant_id: tenant, data: 1 });
  expect(parseEventId(event)).not.toBeNull();
  for (const id of [tenant, key, endpoint, replay, source, event]) expect(await distanceOf(id)).toBeLessThan(NEAR_MS);
  const { rows } = await service.context.apiPool.query('SELECT id FROM endpoint_secrets');
  for (const { id } of rows) expect(await distanceOf(id)).toBeLessThan(NEAR_MS);
});

test('a message that is asked for again by a host whose clock is ahead is due at once', async () => {
  const { id } = await post('/v1/sources', kafkaSource('127.0.0.1:9', ['again'], { tenant_id: undefined }));
  const { rows } = await service.context.apiPool.query(
    `INSERT INTO rejected_messages (id, source_num, position, identity, message_group, reason, detail, body, body_bytes, truncated)
     SELECT gen_random_uuid(), num, 'again/0/1', gen_random_uuid(), 'again/0', 'invalid_event', '', '{}', 2, false FROM sources WHERE id = $1
     RETURNING source_num`,
    [id],
  );
  await post(`/v1/sources/${id}/rejected/retry`, {});
  expect(await claimRetries(service.context.apiPool, rows[0].source_num, 10)).toHaveLength(1);
});

test('G8 what a host whose clock is ahead changes says when by Postgres’s clock', async () => {
  const { id: tenant } = await post('/v1/tenants', {});
  const at = `/v1/tenants/${tenant}`;
  const { id: endpoint } = await post(`${at}/endpoints`, { url: 'http://127.0.0.1:9/', validation: 'cloudevents' });
  const type = `${at}/event-types/a.b`;
  await call(service.baseUrl, 'PUT', `${type}/versions/1.0`, { schema: {} });
  const { id: source } = await post('/v1/sources', kafkaSource('127.0.0.1:9', ['told'], { tenant_id: tenant }));
  const { id: key } = await post(`${at}/keys`, {});

  const changed = [
    await call(service.baseUrl, 'PATCH', `${at}/endpoints/${endpoint}`, { description: 'other' }),
    await call(service.baseUrl, 'POST', `${at}/endpoints/${endpoint}/validate`),
    await call(service.baseUrl, 'PATCH', type, { description: 'other' }),
    await call(service.baseUrl, 'PATCH', type, { validation: 'enforce' }),
    await call(service.baseUrl, 'PATCH', `${type}/versions/1.0`, { description: 'other' }),
    await call(service.baseUrl, 'POST', `/v1/sources/${source}/pause`),
  ];
  for (const { status, body } of changed) {
    expect(status).toBeLessThan(300);
    expect(await secondsApart(body.updated_at)).toBeLessThan(NEAR_MS / 1_000);
  }
  expect((await call(service.baseUrl, 'DELETE', `/v1/sources/${source}`)).status).toBeLessThan(300);
  expect((await call(service.baseUrl, 'DELETE', `${at}/keys/${key}`)).status).toBeLessThan(300);
  const { rows } = await service.context.apiPool.query(
    'SELECT updated_at AS at FROM sources WHERE id = $1 UNION ALL SELECT deleted_at FROM sources WHERE id = $1 UNION ALL SELECT revoked_at FROM api_keys WHERE id = $2',
    [source, key],
  );
  expect(rows).toHaveLength(3);
  for (const { at: time } of rows) expect(await secondsApart(time)).toBeLessThan(NEAR_MS / 1_000);
});

async function secondsApart(time: string | Date): Promise<number> {
  const { rows } = await service.context.apiPool.query(
    'SELECT abs(extract(epoch FROM clock_timestamp() - $1::timestamptz))::float8 AS seconds',
    [time],
  );
  return rows[0].seconds;
}
