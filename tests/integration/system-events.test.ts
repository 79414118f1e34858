import { afterAll, beforeAll, expect, test } from 'vitest';
import { NOTICE_KINDS } from '../../src/domain/notice.ts';
import { verifySignature } from '../../src/signing/verify-signature.ts';
import { parseVerifyingKey } from '../../src/signing/verifying-key.ts';
import { appendNotices, type EndpointNotice } from '../../src/store/notices.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.ts';
import { type ReceiverPaths, receiverPaths, statuses } from '../support/receiver-paths.ts';
import { type CreatedEndpoint, createEndpoint } from '../support/stage.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let receiver: Receiver;
let paths: ReceiverPaths;
let service: TestService;

beforeAll(async () => {
  receiver = await startReceiver();
  paths = receiverPaths(receiver);
  service = await startTestService({ worker: true });
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
});

/** A tenant with an endpoint at `/<tenant>/work` for its own events and one at `/<tenant>/ops` that is told of what happens to it. */
async function play(tenant: string, settings: Record<string, unknown> = {}, types: readonly string[] = ['system.**']) {
  const work = await createEndpoint(service.baseUrl, { url: paths.url(`/${tenant}/work`), ...settings }, tenant);
  const ops = await createEndpoint(
    service.baseUrl,
    { url: paths.url(`/${tenant}/ops`), subscriptions: [{ types }] },
    tenant,
  );
  return { work, ops };
}

async function post(tenant: string, more: object = {}): Promise<string> {
  const answer = await call(service.baseUrl, 'POST', '/v1/events', {
    type: 'order.created',
    tenant_id: tenant,
    data: {},
    ...more,
  });
  expect(answer.status).toBe(202);
  return answer.body.id;
}

const toldOf = (requests: readonly ReceivedRequest[]) => requests.map(({ body }) => JSON.parse(body.toString()));

async function numOf({ id }: CreatedEndpoint) {
  const { rows } = await service.context.apiPool.query<{ num: number; tenant_num: number }>(
    'SELECT num, tenant_num FROM endpoints WHERE id = $1',
    [id],
  );
  return { endpointNum: rows[0]!.num, tenantNum: rows[0]!.tenant_num };
}

/** Waits until every notice of the tenant was told of, or dropped because nobody wants to know, and nothing waits for delivery. */
async function quiet(tenant: string): Promise<void> {
  const text = `SELECT (SELECT count(*) FROM system_notices n WHERE n.tenant_num = t.num)
                     + (SELECT count(*) FROM announcements a WHERE a.tenant_num = t.num AND count > 0)
                     + (SELECT count(*) FROM mailbox m WHERE m.tenant_num = t.num) AS left FROM tenants t WHERE t.id = $1`;
  await eventually(
    async () => Number((await service.context.apiPool.query(text, [tenant])).rows[0].left),
    (left) => left === 0,
  );
}

test('each kind of system event arrives once, signed, with what it tells of', async () => {
  const { work, ops } = await play('kinds');
  const place = await numOf(work);
  const notices = NOTICE_KINDS.filter((kind) => kind.startsWith('endpoint.')).map((kind) => {
    return { kind, ...place, detail: { reason: `because of ${kind}` } } as EndpointNotice;
  });
  await appendNotices(service.context.apiPool, notices);
  await paths.received('/kinds/ops', notices.length);
  await quiet('kinds');
  const requests = paths.at('/kinds/ops');
  const told = toldOf(requests);
  expect(told.map(({ type }) => type).sort()).toEqual(notices.map(({ kind }) => `system.${kind}`).sort());
  for (const event of told) {
    expect(event).toMatchObject({
      tenant_id: 'kinds',
      subject: work.id,
      metadata: { source: 'posthorn' },
      data: { endpoint: { id: work.id }, reason: `because of ${event.type.slice('system.'.length)}` },
    });
  }
  const keys = [parseVerifyingKey(ops.secret)];
  for (const { headers, body } of requests) expect(verifySignature(keys, headers, body).ok).toBe(true);
  expect(toldOf(paths.at('/kinds/work'))).toEqual([]);
});

test('the fourth failure of a delivery says that it is failing, once, and its success after that that it has recovered', async () => {
  const { work } = await play('failing', { retry_schedule: [0, 0, 0, 0, 0, 0, 0] });
  paths.behave('/failing/work', statuses(500, 500, 500, 500, 500, 204));
  const id = await post('failing', { subject: 'order-1' });
  await paths.received('/failing/ops', 2);
  await quiet('failing');
  const told = toldOf(paths.at('/failing/ops'));
  expect(told.map(({ type }) => type)).toEqual(['system.delivery.failing', 'system.delivery.recovered']);
  const delivery = { event_id: id, event_type: 'order.created' };
  expect(told[0].data).toMatchObject({
    endpoint: { id: work.id },
    delivery: { ...delivery, attempt: 4, outcome: 'rejected', status: 500, next_attempt_at: expect.any(String) },
  });
  expect(told[1].data).toMatchObject({
    delivery: { ...delivery, attempt: 6, outcome: 'delivered', status: 204, next_attempt_at: null },
  });
});

test('a delivery that is retried by hand and succeeds after it was said to be failing is said to have recovered', async () => {
  await play('helped', { retry_schedule: [0, 0, 0, 0, 3600] });
  paths.behave('/helped/work', statuses(500, 500, 500, 500, 204));
  await post('helped');
  await paths.received('/helped/ops', 1);
  const { body } = await call(service.baseUrl, 'GET', '/v1/tenants/helped/deliveries?status=retrying');
  const retry = `/v1/tenants/helped/deliveries/${body.data[0].id}/retry`;
  expect((await call(service.baseUrl, 'POST', retry)).status).toBe(202);
  const requests = await paths.received('/helped/ops', 2);
  expect(toldOf(requests)[1]).toMatchObject({ type: 'system.delivery.recovered', data: { delivery: { attempt: 5 } } });
});

test('a delivery that succeeds at its fourth attempt is not spoken of', async () => {
  await play('lucky', { retry_schedule: [0, 0, 0, 0, 0] });
  paths.behave('/lucky/work', statuses(500, 500, 500, 204));
  await post('lucky');
  await paths.received('/lucky/work', 4);
  await quiet('lucky');
  expect(paths.at('/lucky/ops')).toEqual([]);
});

test('a dead letter is told of with its last answer', async () => {
  const { work } = await play('dead', { retry_schedule: [0, 0] });
  paths.behave('/dead/work', statuses(500, 418));
  const id = await post('dead', { id: 'order-7' });
  const [event] = toldOf(await paths.received('/dead/ops', 1));
  expect(event).toMatchObject({ type: 'system.delivery.dead_lettered', subject: work.id });
  expect(event.data.delivery).toMatchObject({ event_id: id, attempt: 2, outcome: 'rejected', status: 418 });
  const found = await call(service.baseUrl, 'GET', `/v1/tenants/dead/deliveries/${event.data.delivery.id}`);
  expect(found.body).toMatchObject({ status: 'dead_lettered', event_id: 'order-7' });
});

test('F35: a receiver that answers 410 has its tenant told that the endpoint is disabled', async () => {
  await play('gone', {}, ['system.endpoint.*']);
  paths.behave('/gone/work', statuses(410));
  await post('gone');
  await paths.received('/gone/ops', 1);
  await quiet('gone');
  expect(toldOf(paths.at('/gone/ops'))).toMatchObject([
    { type: 'system.endpoint.disabled', data: { reason: 'The receiver answered 410 Gone.', by: 'system' } },
  ]);
});

test('an endpoint that is disabled and enabled by a PATCH is told of, and one that stays as it was is not', async () => {
  const { work } = await play('switched');
  const patch = (body: object) =>
    call(service.baseUrl, 'PATCH', `/v1/tenants/switched/endpoints/${work.id}`, body).then(({ status }) =>
      expect(status).toBe(200),
    );
  await patch({ enabled: false });
  await patch({ enabled: false, description: 'still' });
  await paths.received('/switched/ops', 1);
  await patch({ enabled: true });
  await paths.received('/switched/ops', 2);
  await quiet('switched');
  expect(toldOf(paths.at('/switched/ops'))).toMatchObject([
    { type: 'system.endpoint.disabled', data: { by: 'operator' } },
    { type: 'system.endpoint.enabled', data: { by: 'operator', endpoint: { description: 'still' } } },
  ]);
});

test('a breaker that opens is told of once, and so is its reset by hand; a reset of what is closed is not', async () => {
  const { work } = await play('broken', { retry_schedule: [0] }, ['system.endpoint.*']);
  const reset = () => call(service.baseUrl, 'POST', `/v1/tenants/broken/endpoints/${work.id}/breaker/reset`);
  expect((await reset()).status).toBe(200);
  paths.behave('/broken/work', statuses(500));
  for (let i = 0; i < 12; i++) await post('broken');
  await paths.received('/broken/ops', 1);
  paths.behave('/broken/work', statuses(204));
  expect((await reset()).status).toBe(200);
  await paths.received('/broken/ops', 2);
  await quiet('broken');
  expect(toldOf(paths.at('/broken/ops'))).toMatchObject([
    { type: 'system.endpoint.breaker_opened', data: { endpoint: { id: work.id }, until: expect.any(String) } },
    { type: 'system.endpoint.breaker_closed', data: { endpoint: { id: work.id }, by: 'operator' } },
  ]);
});

test('a receiver that asks for a pause has its tenant told until when its deliveries wait', async () => {
  await play('paused', {}, ['system.endpoint.throttled']);
  paths.behave('/paused/work', (_request, response) => void response.writeHead(429, { 'retry-after': '3600' }).end());
  await post('paused');
  const [event] = toldOf(await paths.received('/paused/ops', 1));
  const pauseMs = Date.parse(event.data.until) - Date.parse(event.timestamp);
  expect(Math.round(pauseMs / 60_000)).toBe(60);
});

test.each([
  ['failing', [0, 0, 0, 0, 0], 10],
  ['dead_lettered', [0], 2],
])(
  'deliveries of system events that fail are not told of as %s: who wants to hear of all and fails it all does not feed itself',
  async (news, schedule, requests) => {
    const tenant = `loop_${news}`;
    const types = ['**', `system.delivery.${news}`];
    for (const path of [`/${tenant}/a`, `/${tenant}/b`]) {
      paths.behave(path, statuses(500));
      const settings = { url: paths.url(path), retry_schedule: schedule, subscriptions: [{ types }] };
      await createEndpoint(service.baseUrl, settings, tenant);
    }
    await post(tenant);
    // Each is told of the other, and of that delivery alone.
    await paths.received(`/${tenant}/a`, requests);
    await paths.received(`/${tenant}/b`, requests);
    await quiet(tenant);
    const { body } = await call(service.baseUrl, 'GET', `/v1/tenants/${tenant}/events`);
    const type = `system.delivery.${news}`;
    expect(body.data.map((event: { type: string }) => event.type)).toEqual([type, type, 'order.created']);
    expect([paths.at(`/${tenant}/a`).length, paths.at(`/${tenant}/b`).length]).toEqual([requests, requests]);
  },
);

test('two endpoints that ask for pauses and want to hear of pauses do not keep each other busy', async () => {
  const types = ['order.*', 'system.endpoint.throttled'];
  for (const path of ['/pauses/a', '/pauses/b']) {
    paths.behave(path, (_request, response) => void response.writeHead(429, { 'retry-after': '2' }).end());
    const settings = { url: paths.url(path), retry_schedule: [0], subscriptions: [{ types }] };
    await createEndpoint(service.baseUrl, settings, 'pauses');
  }
  await post('pauses');
  // Each is told of the other’s pause for the order, and asks for a pause again: that is told to nobody.
  await paths.received('/pauses/a', 2);
  await paths.received('/pauses/b', 2);
  await quiet('pauses');
  const { body } = await call(service.baseUrl, 'GET', '/v1/tenants/pauses/events');
  const type = 'system.endpoint.throttled';
  expect(body.data.map((event: { type: string }) => event.type)).toEqual([type, type, 'order.created']);
});

test('another tenant never sees what happens to an endpoint', async () => {
  await play('mine', { retry_schedule: [0] });
  await play('theirs');
  paths.behave('/mine/work', statuses(500));
  await post('mine');
  await paths.received('/mine/ops', 1);
  await quiet('mine');
  await quiet('theirs');
  expect([...paths.at('/theirs/ops'), ...paths.at('/theirs/work')]).toEqual([]);
});

test('what no endpoint subscribes to by name leaves no event: ** alone does not include system events', async () => {
  await createEndpoint(service.baseUrl, { url: paths.url('/deaf/a'), retry_schedule: [0] }, 'deaf');
  const all = { url: paths.url('/deaf/b'), subscriptions: [{ types: ['**'] }, { types: ['system.endpoint.*'] }] };
  await createEndpoint(service.baseUrl, all, 'deaf');
  paths.behave('/deaf/a', statuses(500));
  await post('deaf');
  await paths.received('/deaf/b', 1);
  await quiet('deaf');
  const { body } = await call(service.baseUrl, 'GET', '/v1/tenants/deaf/events');
  expect(body.data.map(({ type }: { type: string }) => type)).toEqual(['order.created']);
  expect(paths.at('/deaf/b')).toHaveLength(1);
});

test('a producer cannot pretend to be Posthorn: types that begin with system are refused', async () => {
  await play('forged');
  for (const type of ['system', 'system.endpoint.disabled', 'system.x']) {
    const answer = await call(service.baseUrl, 'POST', '/v1/events', { type, tenant_id: 'forged', data: {} });
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, 'type']);
  }
});
