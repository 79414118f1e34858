import type { Browser } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { openTab } from '../support/chromium.ts';
import { type ConsoleStage, consoleStage } from '../support/console-stage.ts';
import type { Behaviour } from '../support/receiver.ts';
import type { ReceiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, type Stage } from '../support/stage.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

const onStage = consoleStage();
let stage: Stage;
let receiver: ReceiverPaths;
let api: string;
let browser: Browser;
let signIn: ConsoleStage['signIn'];

beforeEach(() => {
  ({ stage, receiver, api, browser, signIn } = onStage());
});

/** Refused calls are complaints of the browser too, and expected where the API refuses. */
const REFUSED = /^Failed to load resource: the server responded with a status of 40[134] /;

/** Tries to run a script in whoever shows it, by its body and by a header, and turns the direction of text. */
const HOSTILE = `<img src=x onerror="window.ran=1"><script>window.ran=1</script>\u202egnp.exe\u0007`;
const hostile: Behaviour = (_request, response) =>
  void response
    .writeHead(500, { 'content-type': 'text/html', 'x-hostile': '<img src=x onerror=window.ran=1>' })
    .end(HOSTILE);

test('an operator looks an event up, with what the receiver answered, and nothing of it runs', async () => {
  receiver.behave('/hostile', hostile);
  const settings = { url: receiver.url('/hostile'), retry_schedule: [0, 3600], description: '<b>bold</b>' };
  await createEndpoint(api, settings, 'hostile');
  const data = { amount: 12345678901234567890n.toString(), html: HOSTILE, long: 'x'.repeat(60_000) };
  const body = { type: 'payment.captured', tenant_id: 'hostile', subject: 'customer-1', data };
  const posted = await call(api, 'POST', '/v1/events', body);
  await receiver.received('/hostile', 1);

  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.getByRole('link', { name: 'hostile' }).click();
  await heading('hostile');
  await page.getByRole('link', { name: receiver.url('/hostile') }).waitFor();
  await page.getByText('<b>bold</b>').waitFor();
  await page.getByRole('link', { name: 'Events' }).click();
  await page.getByLabel('Type').fill('payment.captured');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.getByRole('link', { name: posted.body.id }).click();
  await heading(posted.body.id);
  await page
    .getByRole('region', { name: 'The event', exact: true })
    .getByText('"amount": "12345678901234567890"')
    .waitFor();
  await page.getByRole('button', { name: /^Show all 60,\d{3} characters$/ }).click();
  expect((await page.getByRole('region', { name: 'The event', exact: true }).textContent())!.length).toBeGreaterThan(
    60_000,
  );
  await page.getByRole('heading', { name: 'Attempt 1: rejected (500)' }).waitFor();
  await page.getByText(/^Response: /).click();
  const shown = page.getByRole('region', { name: 'Body of the response' });
  expect(await shown.textContent()).toBe(HOSTILE.replace('\u202e', '\\u{202e}').replace('\u0007', '\\u{7}'));
  expect(await page.getByRole('region', { name: 'Headers of the response' }).textContent()).toContain(
    'x-hostile: <img src=x onerror=window.ran=1>',
  );
  expect(await page.evaluate('window.ran')).toBeUndefined();
  expect(await page.locator('main img, main script').count()).toBe(0);
  expect(complaints).toEqual([]);
  expect(stage.logs()).not.toContain('Warning');
  // The key is in no address, and a tab that is opened anew knows of nobody.
  expect(page.url()).not.toContain(OPERATOR_KEY);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading('Sign in');
  expect(await page.evaluate('sessionStorage.length + localStorage.length + document.cookie.length')).toBe(0);
});

test('what the reader asked to see whole, and is at, stays so when something new is shown beside it', async () => {
  receiver.behave('/whole', (_request, response) => void response.writeHead(500).end());
  await createEndpoint(api, { url: receiver.url('/whole'), retry_schedule: [0, 3600] }, 'whole');
  const { body } = await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'whole', data: 'x'.repeat(60_000) });
  await receiver.received('/whole', 1);
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/whole/events/${body.id}`);
  const event = page.getByRole('region', { name: 'The event', exact: true });
  await page.getByRole('button', { name: /^Show all/ }).click();
  const deliveries = await call(api, 'GET', `/v1/tenants/whole/events/${body.id}/deliveries`);
  await call(api, 'POST', `/v1/tenants/whole/deliveries/${deliveries.body.data[0].id}/retry`);
  await page.getByRole('heading', { name: 'Attempt 2: rejected (500)' }).waitFor();
  expect((await event.textContent())!.length).toBeGreaterThan(60_000);
  expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('The event');
  expect(complaints).toEqual([]);
});

test('nothing moves under a pressed pointer: what is new is shown once it is up', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/pressed') }, 'pressed');
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/pressed/endpoints/${id}`);
  await page.getByText('Replay a time range').click();
  await page.getByLabel('Accepted since').fill('2024-01-01T00:00:00');
  await page.getByRole('button', { name: 'Replay …' }).hover();
  await page.mouse.down();
  const description = 'grows '.repeat(80).trim();
  await call(api, 'PATCH', `/v1/tenants/pressed/endpoints/${id}`, { description });
  for (let i = 0; i < 2; i++) await (await page.waitForResponse(`**/endpoints/${id}`)).finished();
  await page.mouse.up();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep as it is' }).click();
  await page.getByText(description).waitFor();
  expect(complaints).toEqual([]);
});

test('a dead letter is found, redriven and seen delivered', async () => {
  receiver.behave('/given-up', (_request, response, index) => void response.writeHead(index === 0 ? 500 : 204).end());
  await createEndpoint(api, { url: receiver.url('/given-up'), retry_schedule: [0] }, 'given-up');
  const posted = await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'given-up', data: {} });
  await receiver.received('/given-up', 1);

  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/given-up/dead-letters`);
  await page.getByRole('link', { name: posted.body.id }).waitFor();
  await page.getByRole('button', { name: 'Redrive all …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Redrive all' }).click();
  await page.getByText('1 of 1').waitFor();
  await page.getByText('completed').waitFor();
  await receiver.received('/given-up', 2);
  await page.goto(`${api}/console/#/tenants/given-up/events/${posted.body.id}`);
  await page.getByRole('heading', { name: 'Attempt 2: delivered (204)' }).waitFor();
  await page.goto(`${api}/console/#/tenants/given-up/dead-letters`);
  await page.getByText('No dead letters.').waitFor();
  expect(complaints).toEqual([]);
});

test('one dead letter is redriven, and a time replayed to an endpoint', async () => {
  receiver.behave('/again', (_request, response, index) => void response.writeHead(index === 0 ? 500 : 204).end());
  const { id } = await createEndpoint(api, { url: receiver.url('/again'), retry_schedule: [0] }, 'again');
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'again', data: {} });
  await receiver.received('/again', 1);

  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/again/dead-letters`);
  await page.getByRole('button', { name: /^Redrive dlv_/ }).click();
  await page
    .getByRole('status')
    .getByText(/^dlv_\w+ is queued/)
    .waitFor();
  await receiver.received('/again', 2);
  await page.mouse.move(1, 1);
  await page.getByText('No dead letters.').waitFor();
  await page.goto(`${api}/console/#/tenants/again/endpoints/${id}`);
  await page.getByText('Replay a time range').click();
  await page.getByLabel('Accepted since').fill('2024-01-01T00:00:00');
  await page.getByRole('button', { name: 'Replay …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
  await page.getByRole('status').getByText('The replay has begun.').waitFor();
  await page.getByText('1 of 1').waitFor();
  await receiver.received('/again', 3);
  await page.getByText('completed').waitFor();
  expect(complaints).toEqual([]);
});

test('an endpoint is tested, disabled, and gives its secret only when asked', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/handled') }, 'handled');
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/handled/endpoints/${id}`);
  await heading(id);
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await page
    .getByRole('status')
    .getByText(/^The test event evt_\w+ is on its way\.$/)
    .waitFor();
  await receiver.received('/handled', 1);
  await page.getByRole('button', { name: 'Disable …' }).click();
  await page
    .getByRole('dialog', { name: `Disable ${id}?` })
    .getByRole('button', { name: 'Disable' })
    .click();
  await page.getByRole('button', { name: 'Enable' }).waitFor();
  expect(await page.getByText(/whsec_/).count()).toBe(0);
  await page.getByRole('button', { name: 'Show the secret' }).click();
  await page.getByText(/^whsec_/).waitFor();
  await page.getByRole('button', { name: 'Rotate …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await page.getByText('The secret is rotated: give the receiver the new one.').waitFor();
  await page.getByRole('button', { name: 'Show the secret' }).click();
  await page
    .getByText(/^whsec_/)
    .nth(1)
    .waitFor();
  await page.goBack();
  await heading('Tenants');
  expect(complaints).toEqual([]);
});

test('a tenant’s key shows its own tenant and no other', async () => {
  await createEndpoint(api, { url: receiver.url('/own') }, 'own');
  await createEndpoint(api, { url: receiver.url('/others') }, 'others');
  const { key } = (await call(api, 'POST', '/v1/tenants/own/keys', { name: 'reader' })).body;
  const { page, complaints, heading } = await signIn(key);
  await heading('own');
  await page.getByRole('link', { name: receiver.url('/own') }).waitFor();
  expect(await page.getByRole('link', { name: 'Tenants' }).count()).toBe(0);
  await page.goto(`${api}/console/#/tenants/others/endpoints`);
  await page.getByRole('alert').getByText('The tenant does not exist.').waitFor();
  expect(await page.getByText(receiver.url('/others')).count()).toBe(0);
  expect(complaints.filter((text) => !REFUSED.test(text))).toEqual([]);
});

test('a key that is none is refused with what the API says, and one that is revoked leads back to the form', async () => {
  await createEndpoint(api, { url: receiver.url('/revoked') }, 'revoked');
  const { key, id } = (await call(api, 'POST', '/v1/tenants/revoked/keys', { name: 'reader' })).body;
  const { page, complaints, give, heading } = await signIn('wrong');
  await page.getByRole('alert').getByText('The API key is not valid.').waitFor();
  await give(key);
  await heading('revoked');
  expect((await call(api, 'DELETE', `/v1/tenants/revoked/keys/${id}`)).status).toBe(204);
  await page.reload();
  await heading('Sign in');
  await page.getByRole('alert').getByText('The API key is not valid.').waitFor();
  expect(complaints.filter((text) => !REFUSED.test(text))).toEqual([]);
});

test('with the keyboard alone and on a narrow screen: what is new comes by itself, and the reader is taken to the heading', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url(`/narrow?${'long='.repeat(40)}`) }, 'narrow');
  const send = () => call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'narrow', data: {} });
  const { page, complaints } = await openTab(browser, `${api}/console/#/tenants/narrow/events`);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.keyboard.type(OPERATOR_KEY);
  await page.keyboard.press('Enter');
  await page.getByText('There is no such event.').waitFor();
  const { body } = await send();
  await page.getByRole('rowheader', { name: body.id }).waitFor();
  await page.getByRole('link', { name: body.id }).press('Enter');
  await page.getByRole('heading', { name: 'Attempt 1: delivered (204)' }).waitFor();
  expect(await page.evaluate('document.activeElement.textContent')).toBe(body.id);
  for (const place of [
    '',
    '/narrow/endpoints',
    `/narrow/endpoints/${id}`,
    `/narrow/events/${body.id}`,
    '/narrow/dead-letters',
    '/narrow/audit',
    '/narrow/keys',
    '/narrow/event-types',
  ]) {
    await page.goto(`${api}/console/#/tenants${place}`);
    await page.getByText(/^Read \d/).waitFor();
    expect([place, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([place, 360]);
  }
  expect(complaints).toEqual([]);
});

test('what was asked in a view is not answered in the next, and what came of it leads nobody away', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/left') }, 'left');
  const { page, complaints, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  await page.goto(`${api}/console/#/tenants/left/endpoints/${id}`);
  await page.getByRole('button', { name: 'Disable …' }).click();
  await page.getByRole('dialog').waitFor();
  await page.goBack();
  await heading('Tenants');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await page.goForward();
  await heading(id);
  await page.getByText('Replay a time range').click();
  await page.getByLabel('Accepted since').fill('2024-01-01T00:00:00');
  const held = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await page.route('**/replays', async (route) => {
    asked.resolve();
    await held.promise;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Replay …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
  await asked.promise;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading('Sign in');
  await page.getByLabel('API key').fill('half of a key');
  const answered = page.waitForResponse(/replays$/);
  held.resolve();
  await (await answered).finished();
  expect(await page.getByLabel('API key').inputValue()).toBe('half of a key');
  expect(new URL(page.url()).hash).toBe('#/');
  expect(complaints).toEqual([]);
});

test('a key whose answer comes late, after another one or a way out, signs nobody in', async () => {
  const { page, heading, give } = await signIn('pho_none');
  await page.getByRole('alert').waitFor();
  const held = Promise.withResolvers<void>();
  let isFirst = true;
  await page.route('**/v1/key', async (route) => {
    if (isFirst) {
      isFirst = false;
      await held.promise;
    }
    await route.continue();
  });
  await give(OPERATOR_KEY);
  await give(OPERATOR_KEY);
  await heading('Tenants');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading('Sign in');
  const late = page.waitForResponse(/v1\/key$/);
  held.resolve();
  await (await late).finished();
  expect(await page.evaluate('sessionStorage.length')).toBe(0);
  await heading('Sign in');
});

test('whatever stands between and answers, it is said, and the view is read again', async () => {
  const { page, heading } = await signIn(OPERATOR_KEY);
  await heading('Tenants');
  for (const body of ['{}', 'null', '{"title":"Gone', '{"title":"Out","errors":null,"detail":7}', '<html>502</html>']) {
    await page.route('**/v1/tenants?*', (route) =>
      route.fulfill({ status: 503, contentType: 'application/problem+json', body }),
    );
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('alert').getByText('Wait a moment').waitFor();
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
  }
  await page.route('**/v1/tenants?*', (route) => route.fulfill({ json: { data: 7, next: null } }));
  for (let i = 0; i < 2; i++) {
    const answer = page.waitForResponse('**/v1/tenants?*');
    await page.getByRole('button', { name: 'Refresh' }).click();
    await (await answer).finished();
    await page.getByRole('alert').waitFor();
  }
});
