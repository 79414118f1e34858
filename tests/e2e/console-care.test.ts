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
  await eventually(
    async () => buttons.count(),
    (value) => value === 2,
  );
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
  await eventually(
    async () => redrives,
    (sent) => sent.length > 0,
  );
  expect(redrives).toEqual([JSON.stringify({ delivery_ids: [newest.delivery_id] })]);
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

test('a change of types or URL that would take a filter or a broker away changes nothing, and says how', async () => {
  const subscriptions = [{ types: ['a.b'], filter: { subject: ['s'] } }];
  const { id: filtered } = await createEndpoint(api, { url: receiver.url('/filtered'), subscriptions }, 'changes');
  const destination = { type: 'kafka', brokers: ['127.0.0.1:1'], topic: 'events' };
  const { body: broker } = await call(api, 'POST', '/v1/tenants/changes/endpoints', { destination });
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  const change = async (id: string, label: string, text: string) => {
    await page.goto(`${api}/console/#/tenants/changes/endpoints/${id}`);
    await heading(id);
    await page.getByText('Change the endpoint').click();
    await page.getByLabel(label).fill(text);
    await page.getByRole('button', { name: 'Change …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Change' }).click();
    await page.getByRole('alert').getByText('Nothing is changed').waitFor();
    await page
      .getByRole('status')
      .getByText(/^Not done: Nothing is changed/)
      .waitFor();
    return (await call(api, 'GET', `/v1/tenants/changes/endpoints/${id}`)).body;
  };
  expect((await change(filtered, 'Event types, with spaces between', 'c.d')).subscriptions).toEqual(subscriptions);
  expect((await change(broker.id, 'URL', receiver.url('/changed'))).destination).toMatchObject(destination);
});

test('a key that nobody saw is said to be one, and one that is shown does not come back with the page', async () => {
  await call(api, 'POST', '/v1/tenants', { id: 'unseen' });
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/unseen/keys`);
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByText(/^phk_/).waitFor();
  await page.evaluate('window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))');
  expect(await page.getByText(/^phk_/).count()).toBe(0);
  const held = Promise.withResolvers<void>();
  await page.route('**/keys', async (route) => {
    await held.promise;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByRole('link', { name: 'Audit log' }).click();
  await page.getByText('tenant.created').waitFor();
  held.resolve();
  await page
    .getByRole('status')
    .getByText(/^The key key_\w+ is made, and nobody has seen it/)
    .waitFor();
});

test('a purge ends with the view, and does not reach what comes while it runs', async () => {
  const { page, heading } = await openDeadLetters('purging', 1);
  const bodies: string[] = [];
  const second = Promise.withResolvers<void>();
  await page.route('**/purge', async (route) => {
    bodies.push(route.request().postData()!);
    if (bodies.length === 2) await second.promise;
    await route.fulfill({ json: { purged: 1_000, complete: false, next: `after_${bodies.length}` } });
  });
  await page.getByRole('button', { name: 'Purge all …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Purge all' }).click();
  await eventually(
    async () => bodies.length,
    (value) => value === 2,
  );
  await page.getByRole('link', { name: 'Replays' }).click();
  await page.getByText('Nothing was replayed').waitFor();
  second.resolve();
  await page.getByRole('status').getByText('Given up: 2,000. The rest is left.').waitFor();
  await heading('purging');
  expect(bodies).toHaveLength(2);
  expect(bodies[0]).toMatch(/^\{"until":"[^"]+Z"\}$/);
  // It goes on where the first stopped.
  expect(JSON.parse(bodies[1]!)).toEqual({ ...JSON.parse(bodies[0]!), cursor: 'after_1' });
});

test('a purge ends where a process of the version before answers, which says only whether it is complete', async () => {
  const { page } = await openDeadLetters('purged-before', 1);
  const bodies: string[] = [];
  await page.route('**/purge', async (route) => {
    bodies.push(route.request().postData()!);
    // Asked on and on it would never say anything else.
    if (bodies.length > 2) return route.fulfill({ status: 500, body: 'It was complete.' });
    return route.fulfill({ json: { purged: 1_000, complete: bodies.length === 2 } });
  });
  await page.getByRole('button', { name: 'Purge all …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Purge all' }).click();
  const told = page.getByRole('status').getByText(/2,000/).first();
  await told.waitFor();
  expect(await told.textContent()).toBe('Given up: 2,000.');
  expect(bodies).toHaveLength(2);
  expect(bodies[1]).toBe(bodies[0]);
});

test('after something was done, a reading that fails leaves what was read before', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/kept') }, 'kept');
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/kept/endpoints/${id}`);
  await page.getByText(receiver.url('/kept')).waitFor();
  await page.route('**/stats', (route) => route.fulfill({ status: 503, body: 'no figures' }));
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await page.getByRole('alert').waitFor();
  expect(await page.getByText(receiver.url('/kept')).isVisible()).toBe(true);
  expect(await page.getByRole('button', { name: 'Disable …' }).isVisible()).toBe(true);
});

test('neither a reading that fails nor a tab that is come back to moves another row under the pointer', async () => {
  const { page } = await openDeadLetters('unmoved', 2);
  const button = page.getByRole('button', { name: /^Redrive dlv_/ }).first();
  await button.hover();
  const before = await button.boundingBox();
  await page.route('**/dead-letters?*', (route) => route.fulfill({ status: 503, body: 'gone' }));
  await page.getByText(/not read since: why is shown once the pointer leaves the button$/).waitFor();
  expect(await button.boundingBox()).toEqual(before);
  await page.unrouteAll();
  await send('unmoved');
  await deadLetters('unmoved', 3);
  await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
  await page.getByText(/newer once the pointer leaves the button$/).waitFor();
  expect(await page.getByRole('button', { name: /^Redrive dlv_/ }).count()).toBe(2);
  await page.mouse.move(1, 1);
  await eventually(
    async () => page.getByRole('button', { name: /^Redrive dlv_/ }).count(),
    (value) => value === 3,
  );
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
