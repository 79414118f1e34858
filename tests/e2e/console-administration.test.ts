import { beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { type ConsoleStage, consoleStage } from '../support/console-stage.ts';
import { eventually } from '../support/eventually.ts';
import { createSource, kafkaSource } from '../support/kafka-source.ts';
import type { ReceiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, type Stage } from '../support/stage.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

const onStage = consoleStage();
let stage: Stage;
let receiver: ReceiverPaths;
let api: string;
let signIn: ConsoleStage['signIn'];

beforeEach(() => {
  ({ stage, receiver, api, signIn } = onStage());
});

test('from nothing to the first delivery: a tenant, an endpoint and a key are made, and the key takes an event', async () => {
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.getByText('Add a tenant').click();
  await page.getByLabel('Id (made up, when empty)').fill('made');
  await page.getByLabel('Name').fill('Made by hand');
  await page.getByRole('button', { name: 'Add' }).click();
  await heading('made');
  await page.getByText('Add an endpoint').click();
  await page.getByLabel('URL').fill(receiver.url('/made'));
  await page.getByLabel(/^Event types/).fill('order.created, order.paid');
  await page.getByRole('button', { name: 'Add' }).click();
  await heading(/^ep_/);
  await page.getByText('order.created, order.paid').waitFor();
  await page.goto(`${api}/console/#/tenants/made/keys`);
  await page.getByLabel('Name').fill('shop');
  await page.getByRole('button', { name: 'Make a key' }).click();
  const key = await page.getByText(/^phk_/).textContent();
  const authorization = `Bearer ${key}`;
  const headers = { 'content-type': 'application/json', authorization };
  const post = (type: string) =>
    fetch(`${api}/v1/events`, { method: 'POST', headers, body: JSON.stringify({ type, data: {} }) });
  expect((await post('order.other')).status).toBe(202);
  expect((await post('order.paid')).status).toBe(202);
  const [request] = await receiver.received('/made', 1);
  expect(JSON.parse(request!.body.toString()).type).toBe('order.paid');
  expect((await fetch(`${api}/v1/tenants/made/events`, { headers: { authorization } })).status).toBe(403);

  await page.getByRole('button', { name: /^Revoke key_/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('The tenant has no key of its own.').waitFor();
  await page.getByRole('button', { name: 'Hide' }).click();
  expect(await page.getByText(/^phk_/).count()).toBe(0);
  await page.getByRole('link', { name: 'Audit log' }).click();
  await page.getByText('key.revoked').waitFor();
  expect(complaints).toEqual([]);
});

test('an endpoint is changed where something was typed, and nowhere else, and is deleted', async () => {
  const settings = { url: receiver.url('/before'), description: 'kept', subscriptions: [{ types: ['a.b'] }] };
  const { id } = await createEndpoint(api, settings, 'changed');
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/changed/endpoints/${id}`);
  await page.getByText('Change the endpoint').click();
  await page.getByLabel('URL').fill(receiver.url('/after'));
  await page.getByRole('button', { name: 'Change …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Change' }).click();
  await page.getByText(receiver.url('/after')).waitFor();
  const others = page.getByLabel('Other settings as JSON');
  const change = async () => {
    await page.getByRole('button', { name: 'Change …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Change' }).click();
  };
  await others.fill('{"rate_limit": {"per_second": -1}}');
  await change();
  await page.getByRole('alert').getByText('rate_limit.per_second: ').waitFor();
  await others.fill('{"rate_limit": {"per_second": 7, "burst": 9}}');
  await change();
  await page.getByText('7 a second, bursts of 9').waitFor();
  const { body } = await call(api, 'GET', `/v1/tenants/changed/endpoints/${id}`);
  const rate_limit = { per_second: 7, burst: 9 };
  expect(body).toMatchObject({ ...settings, url: receiver.url('/after'), rate_limit });
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The tenant has no endpoint yet.').waitFor();
  expect((await call(api, 'GET', `/v1/tenants/changed/endpoints/${id}`)).status).toBe(404);
  expect(complaints.filter((text) => !text.includes('status of 422'))).toEqual([]);
});

test('the payload of an event is expunged, once that is confirmed', async () => {
  await createEndpoint(api, { url: receiver.url('/expunged') }, 'expunged');
  const sent = { type: 'a.b', tenant_id: 'expunged', data: { card: '4111' } };
  const { body } = await call(api, 'POST', '/v1/events', sent);
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/expunged/events/${body.id}`);
  await page.getByText('"card": "4111"').waitFor();
  await page.getByRole('button', { name: 'Expunge the payload …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Expunge' }).click();
  await page.getByText('"card": "4111"').waitFor({ state: 'detached' });
  expect((await call(api, 'GET', `/v1/tenants/expunged/events/${body.id}`)).body.expunged_at).not.toBeNull();
  expect(await page.getByRole('button', { name: 'Expunge the payload …' }).count()).toBe(0);
  expect(complaints).toEqual([]);
});

test('keys that stand still behind a dead letter are shown, and one goes on without it', async () => {
  receiver.behave('/ordered', (request, response) => {
    const { n } = JSON.parse(request.body.toString()).data;
    response.writeHead(n === 0 ? 500 : 204).end();
  });
  const settings = {
    url: receiver.url('/ordered'),
    order: 'subject',
    on_dead_letter: 'pause',
    retry_schedule: [0],
  } as const;
  const { id } = await createEndpoint(api, settings, 'ordered');
  const send = (subject: string, n: number) =>
    call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'ordered', subject, data: { n } });
  for (const n of [0, 1]) for (const subject of ['one', 'two', 'three']) await send(subject, n);
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/ordered/endpoints/${id}`);
  const paused = page.getByRole('table', { name: 'Paused keys' });
  await paused.getByRole('row', { name: 'two' }).waitFor();
  await paused.getByRole('row', { name: 'one' }).getByRole('button').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
  await paused.getByRole('row', { name: 'one' }).waitFor({ state: 'detached' });
  const requests = await receiver.received('/ordered', 4);
  expect(requests.map(({ body }) => JSON.parse(body.toString())).map(({ subject, data }) => [subject, data.n])).toEqual(
    expect.arrayContaining([
      ['one', 0],
      ['two', 0],
      ['three', 0],
      ['one', 1],
    ]),
  );
  await page.getByRole('button', { name: 'Resume all …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Resume all' }).click();
  await page.getByText('No key is paused.').waitFor();
  await receiver.received('/ordered', 6);
  expect(complaints).toEqual([]);
});

test('dead letters are purged, those that pass the filter first', async () => {
  receiver.behave('/purged', (_request, response) => void response.writeHead(500).end());
  await createEndpoint(api, { url: receiver.url('/purged'), retry_schedule: [0] }, 'purged');
  await createEndpoint(api, { url: 'http://127.0.0.1:1/', retry_schedule: [0] }, 'purged');
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'purged', data: {} });
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/purged/dead-letters`);
  await page.getByText('2 in all: ').waitFor();
  await page.getByLabel('Reason').selectOption('refused');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.getByRole('button', { name: 'Purge all with the reason refused …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Purge all' }).click();
  await page.getByRole('status').getByText('Given up: 1.').waitFor();
  await page.getByText('No dead letters.').waitFor();
  await page.goto(`${api}/console/#/tenants/purged/dead-letters`);
  await page.getByRole('button', { name: 'Purge all …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Purge all' }).click();
  await page.getByText('0 in all').waitFor();
  const { body } = await call(api, 'GET', '/v1/tenants/purged/deliveries?status=cancelled');
  expect(body.data).toHaveLength(2);
  expect(complaints).toEqual([]);
});

test('what a source rejected is read, bytes and all, tried again and discarded; the source is paused', async () => {
  await call(api, 'POST', '/v1/tenants', { id: 'acme' });
  const id = await createSource(api, kafkaSource('127.0.0.1:1', ['orders']));
  await stage.query(
    `INSERT INTO rejected_messages (id, source_num, position, identity, message_group, reason, detail, body, body_bytes, truncated)
     SELECT gen_random_uuid(), num, 'orders/0/' || n, gen_random_uuid(), 'orders/0', 'invalid_event', 'no type',
            convert_to(U&'\\FEFF<b>ähm</b>', 'UTF8'), 11, false
       FROM sources, generate_series(1, 3) AS n`,
  );
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.getByRole('link', { name: 'Sources' }).click();
  await heading('Sources');
  await page.getByRole('row', { name: 'taken in by no process' }).getByRole('link').click();
  await heading(id);
  await page.getByRole('button', { name: 'Pause …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  expect((await call(api, 'GET', `/v1/sources/${id}`)).body.paused).toBe(true);
  await page.getByRole('link', { name: 'orders/0/2' }).click();
  await heading('Rejected message');
  expect(await page.getByRole('region', { name: 'Body' }).getByRole('region').textContent()).toBe(
    '\\u{feff}<b>ähm</b>',
  );
  await page.getByRole('button', { name: 'Try again' }).click();
  await heading(id);
  await page.getByText('is to be tried again', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'orders/0/2' }).click();
  await page.getByRole('button', { name: 'Discard …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
  await page.getByRole('link', { name: 'orders/0/2' }).waitFor({ state: 'detached' });
  await heading(id);
  await page.getByRole('link', { name: 'invalid_event' }).click();
  await page.getByRole('button', { name: 'Discard all messages with the reason invalid_event …' }).waitFor();
  await page.getByRole('link', { name: 'all', exact: true }).click();
  await page.getByRole('button', { name: 'Discard all messages …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
  await page.getByRole('status').getByText('Forgotten: 2.').waitFor();
  expect(await stage.query('SELECT id FROM rejected_messages')).toEqual([]);
  expect(complaints).toEqual([]);
});

test('event types are shown with the schema of each version, as it was written', async () => {
  await call(api, 'POST', '/v1/tenants', { id: 'typed' });
  for (const version of ['1.0', '2.0'])
    await call(api, 'PUT', `/v1/tenants/typed/event-types/order.created/versions/${version}`, {
      schema: { type: 'object', description: `of ${version}` },
      description: `the ${version}`,
    });
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/typed/event-types`);
  await page.getByRole('link', { name: 'order.created' }).click();
  await heading('order.created');
  await page.getByRole('link', { name: '1.0' }).click();
  const shown = page.getByRole('region', { name: 'Version 1.0' }).getByRole('region');
  expect(JSON.parse((await shown.textContent())!).schema).toEqual({ type: 'object', description: 'of 1.0' });
  expect(complaints).toEqual([]);
});

test('a tenant’s key is offered no part that is for operators, and is refused where it goes there all the same', async () => {
  await call(api, 'POST', '/v1/tenants', { id: 'walled' });
  const { key } = (await call(api, 'POST', '/v1/tenants/walled/keys', { name: 'k' })).body;
  const { page, heading } = await signIn(key);
  await heading('walled');
  expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual([
    ...['Endpoints', 'Events', 'Deliveries', 'Dead letters', 'Replays', 'Event types', 'Audit log'],
  ]);
  for (const place of ['sources', 'set-aside', 'tenants/walled/keys']) {
    await page.goto(`${api}/console/#/${place}`);
    await page.getByRole('alert').getByText('This call is for operator keys.').waitFor();
  }
});

test('a delivery that was set aside is found by an operator, and tried again', async () => {
  receiver.behave('/deadly', (_request, response, index) => void response.writeHead(index === 0 ? 500 : 204).end());
  await createEndpoint(api, { url: receiver.url('/deadly'), retry_schedule: [0, 3600] }, 'deadly');
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'deadly', data: {} });
  const deliveries = async () => (await call(api, 'GET', '/v1/tenants/deadly/deliveries?status=retrying')).body.data;
  const [delivery] = await eventually(deliveries, (found) => found.length === 1);
  // As it is left by workers that died while they tried it.
  await stage.query(
    `WITH waiting AS (UPDATE mailbox SET parked = true, due_at = 'infinity' RETURNING event_id, endpoint_num, tenant_num)
     INSERT INTO poisoned_deliveries (event_id, endpoint_num, tenant_num, crashes, reason)
     SELECT event_id, endpoint_num, tenant_num, 3, 'It killed.' FROM waiting`,
  );
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.getByRole('link', { name: 'Set aside' }).click();
  await heading('Set aside');
  await page.getByRole('row', { name: 'It killed.' }).getByRole('link', { name: delivery.id }).click();
  await heading(delivery.id);
  await page.getByRole('button', { name: 'Try now' }).click();
  await receiver.received('/deadly', 2);
  await page.goto(`${api}/console/#/set-aside`);
  await page.getByText('No delivery was set aside').waitFor();
  expect(complaints).toEqual([]);
});
