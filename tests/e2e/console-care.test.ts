import { beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { type ConsoleStage, consoleStage } from '../support/console-stage.ts';
import { eventually } from '../support/eventually.ts';
import type { ReceiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint } from '../support/stage.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

const onStage = consoleStage();
let receiver: ReceiverPaths;
let api: string;
let signIn: ConsoleStage['signIn'];

beforeEach(() => {
  ({ receiver, api, signIn } = onStage());
});

const REFUSED = /^Failed to load resource: /;

const send = (tenant: string) => call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: tenant, data: {} });

const deadLetters = (tenant: string, count: number) =>
  eventually(
    async () => (await call(api, 'GET', `/v1/tenants/${tenant}/dead-letters`)).body.data,
    (data) => data.length === count,
  );

/** An endpoint that refuses everything, with so many dead letters, shown. */
async function openDeadLetters(tenant: string, count: number) {
  receiver.behave(`/${tenant}`, (_request, response) => void response.writeHead(500).end());
  await createEndpoint(api, { url: receiver.url(`/${tenant}`), retry_schedule: [0] }, tenant);
  for (let i = 0; i < count; i++) await send(tenant);
  await deadLetters(tenant, count);
  const opened = await signIn(OPERATOR_KEY);
  await opened.heading('Tenants');
  await opened.page.goto(`${api}/console/#/tenants/${tenant}/dead-letters`);
  await opened.page
    .getByRole('button', { name: /^Redrive dlv_/ })
    .nth(count - 1)
    .waitFor();
  const redrives: string[] = [];
  opened.page.on('request', (request) => request.url().endsWith('/redrive') && redrives.push(request.postData() ?? ''));
  return { ...opened, redrives };
}

test('the second click of a double one redrives nothing, neither the same row nor the one that took its place', async () => {
  const { page, complaints, redrives } = await openDeadLetters('doubled', 3);
  // Held, so that what is redriven is no dead letter again.
  receiver.behave('/doubled', () => {});
  const buttons = page.getByRole('button', { name: /^Redrive dlv_/ });
  await buttons.nth(1).hover();
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await page
    .getByRole('status')
    .getByText(/is queued/)
    .waitFor();
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  await page.mouse.move(1, 1);
  await page.getByRole('button', { name: 'Refresh' }).click();
  await expect.poll(() => buttons.count()).toBe(2);
  expect(redrives).toHaveLength(1);
  expect(complaints).toEqual([]);
});

test('no new row comes under a pointer that rests on the button of another', async () => {
  const { page, complaints, redrives } = await openDeadLetters('resting', 2);
  const [newest] = await deadLetters('resting', 2);
  await page.getByRole('button', { name: `Redrive ${newest.delivery_id}` }).hover();
  await send('resting');
  const all = await deadLetters('resting', 3);
  await page.getByText(/newer once the pointer leaves the button$/).waitFor();
  await page.mouse.down();
  await page.mouse.up();
  await expect.poll(() => redrives).toEqual([JSON.stringify({ delivery_ids: [newest.delivery_id] })]);
  await page.mouse.move(1, 1);
  await page.getByRole('button', { name: `Redrive ${all[0].delivery_id}` }).waitFor();
  expect(complaints).toEqual([]);
});

test('while something is under way it is said, and what is asked for meanwhile is not lost without a word', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/under-way') }, 'under-way');
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/under-way/endpoints/${id}`);
  const held = Promise.withResolvers<void>();
  await page.route('**/test', async (route) => {
    await held.promise;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await page.getByRole('status').getByText('Under way …').waitFor();
  await page.getByRole('button', { name: 'Disable …' }).click();
  await page.getByRole('status').getByText('That was not done').waitFor();
  held.resolve();
  await page
    .getByRole('status')
    .getByText(/is on its way/)
    .waitFor();
});

test.each([
  ['what came of it is said', 202, /^The test event evt_1 is on its way\.$/],
  ['a refusal is said', 500, /^What was asked for in the view before was refused: No such luck\.$/],
])('once the view was left, %s in the next one', async (_what, status, text) => {
  const tenant = `left-${status}`;
  const { id } = await createEndpoint(api, { url: receiver.url(`/${tenant}`) }, tenant);
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/${tenant}/endpoints/${id}`);
  const held = Promise.withResolvers<void>();
  await page.route('**/test', async (route) => {
    await held.promise;
    const json = { event_id: 'evt_1', code: 'internal', detail: 'No such luck.' };
    await route.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify(json) });
  });
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await page.getByRole('link', { name: 'Endpoints' }).click();
  await page.getByText('Add an endpoint').waitFor();
  held.resolve();
  await page.getByRole('status').getByText(text).waitFor();
  expect(new URL(page.url()).hash).toBe(`#/tenants/${tenant}/endpoints`);
});

test('a moment in which nothing answers leaves the view as it was, and says so', async () => {
  receiver.behave('/blip', (_request, response) => void response.writeHead(500).end('x'.repeat(100)));
  await createEndpoint(api, { url: receiver.url('/blip'), retry_schedule: [0] }, 'blip');
  const { body } = await send('blip');
  await deadLetters('blip', 1);
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/blip/events/${body.id}`);
  await page.getByText(/^Response: /).click();
  const response = page.getByRole('region', { name: 'Body of the response' });
  await response.waitFor();
  await page.route('**/v1/**', (route) => route.fulfill({ status: 503, body: 'gone' }));
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByRole('alert').waitFor();
  expect(await page.getByRole('alert').count()).toBe(1);
  expect(await response.isVisible()).toBe(true);
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  expect(await response.isVisible()).toBe(true);
});

test('figures that cannot be read say why, and a view that takes long says that it is old; refreshing begins anew', async () => {
  await createEndpoint(api, { url: receiver.url('/slow') }, 'slow');
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.route('**/stats', (route) => route.fulfill({ status: 503, body: 'no figures' }));
  await page.goto(`${api}/console/#/tenants/slow/endpoints`);
  await page.getByText('not read: no figures').waitFor();
  await page.unrouteAll();
  await page.route('**/endpoints?*', () => {});
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByText(/^Read .*, being read again …$/).waitFor();
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByText(/^Read \d\d:\d\d:\d\d GMT\+[12]$/).waitFor();
  expect(await page.getByText('not read').count()).toBe(0);
  expect(complaints.filter((text) => !REFUSED.test(text))).toEqual([]);
});

test('a key that may only read is offered nothing else', async () => {
  receiver.behave('/reader', (_request, response) => void response.writeHead(500).end());
  const { id } = await createEndpoint(api, { url: receiver.url('/reader'), retry_schedule: [0] }, 'reader');
  await send('reader');
  const [letter] = await deadLetters('reader', 1);
  const scopes = ['events:read', 'endpoints:read', 'deliveries:read'];
  const { key } = (await call(api, 'POST', '/v1/tenants/reader/keys', { name: 'r', scopes })).body;
  const { page, complaints, heading } = await signIn(key);
  await heading('reader');
  const buttons = async (place: string, sign: string) => {
    await page.goto(`${api}/console/#/tenants/reader/${place}`);
    await page.getByText(sign).first().waitFor();
    return page.getByRole('main').getByRole('button').allTextContents();
  };
  expect(await buttons('endpoints', receiver.url('/reader'))).toEqual(['Refresh']);
  expect(await buttons(`endpoints/${id}`, letter.delivery_id)).toEqual(['Refresh', 'Show the secret']);
  expect(await buttons('dead-letters', letter.event_id)).toEqual(['Refresh', 'Filter']);
  expect(await buttons(`deliveries/${letter.delivery_id}`, letter.event_id)).toEqual(['Refresh']);
  expect(complaints).toEqual([]);
});

test('values of headers are shown when they are asked for, and what is copied of an event is still its JSON', async () => {
  const headers = { Authorization: 'Bearer of-the-receiver' };
  const { id } = await createEndpoint(api, { url: receiver.url('/copied'), headers }, 'copied');
  const data = { family: '👩\u200d👧', turned: '\u202eabc' };
  const { body } = await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'copied', data });
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/copied/endpoints/${id}`);
  await page.getByText('authorization').waitFor();
  expect(await page.getByText('Bearer of-the-receiver').isVisible()).toBe(false);
  await page.getByText('authorization').click();
  expect(await page.getByText('Bearer of-the-receiver').isVisible()).toBe(true);
  await page.getByRole('link', { name: 'copied' }).click();
  await page.getByRole('link', { name: 'Events' }).click();
  await page.getByLabel(/^Id of an event/).fill(body.id);
  await page.getByRole('button', { name: 'Find' }).click();
  await heading(body.id);
  const shown = await page.getByRole('region', { name: 'The event', exact: true }).textContent();
  expect(JSON.parse(shown!).data).toEqual(data);
  expect(shown).toContain('\\u202e');
  expect(complaints).toEqual([]);
});

test('what does not exist is said once, and nothing can be asked of it', async () => {
  await call(api, 'POST', '/v1/tenants', { id: 'nothing' });
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.getByLabel('Id of a tenant').fill('nothing');
  await page.getByRole('button', { name: 'Find' }).click();
  await heading('nothing');
  await page.goto(`${api}/console/#/tenants/nothing/endpoints/ep_nope`);
  await page.getByRole('alert').waitFor();
  expect(await page.getByRole('alert').count()).toBe(1);
  expect(await page.getByRole('main').getByRole('button').allTextContents()).toEqual(['Refresh']);
});

test('the deliveries of a tenant are shown by status, with their endpoints', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/listed') }, 'listed');
  await send('listed');
  await receiver.received('/listed', 1);
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/listed/deliveries`);
  await page.getByRole('link', { name: id }).waitFor();
  await page.getByRole('link', { name: 'dead-lettered' }).click();
  await page.getByText('There is no such delivery.').waitFor();
  expect(complaints).toEqual([]);
});
