import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { EXAMPLE_EVENT } from '../../src/embedded/demo.ts';
import { call } from '../support/api.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

let dataDir: string;
let service: ServiceProcess;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'posthorn-first-run-'));
});
afterAll(async () => {
  await service?.kill('SIGTERM');
  await rm(dataDir, { recursive: true, force: true });
});

/** As `npm start` does on a fresh clone, but for the port. @returns all that it printed */
async function start(): Promise<string> {
  service = await startServiceProcess({ DATA_DIR: dataDir, PORT: '0' });
  await service.said(/Ctrl-C stops it/);
  return service.output();
}

/** Posts what the curl line of the start page posts. */
function postAsShown(page: string) {
  const line = /curl -s (\S+)(\/v1\/events) -H 'authorization: (.+?)' -H 'content-type: application\/json' -d '(.+)'/;
  const [, baseUrl, path, authorization, body] = line.exec(page)!;
  return call(baseUrl!, 'POST', path!, JSON.parse(body!), { authorization: authorization! });
}

test('the first start makes a tenant and an endpoint, and shows the example event delivered and verified', async () => {
  const page = await start();
  expect(page).toContain('POST /webhooks');
  expect(page).toContain('webhook-id: evt_1234567890');
  expect(page).toMatch(/webhook-signature: v1,\S+/);
  expect(page).toContain(`    ${JSON.stringify(JSON.parse(EXAMPLE_EVENT))}\n`);
  expect(page).toContain('The receiver checked the signature: verified.');
  expect(page).toContain(`Posthorn listens on ${service.baseUrl}`);
  const posted = await postAsShown(page);
  expect(posted).toMatchObject({ status: 202, body: { status: 'accepted', deliveries: 1 } });
  await service.said(new RegExp(`demo receiver: ${posted.body.id} \\(verified\\)`));
});

test('the next start does not make it again, and its receiver still verifies what comes', async () => {
  expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const page = await start();
  expect(page).not.toContain('The demo: one event');
  const posted = await postAsShown(page);
  expect(posted).toMatchObject({ status: 202, body: { status: 'accepted', deliveries: 1 } });
  await service.said(new RegExp(`demo receiver: ${posted.body.id} \\(verified\\)`));
});

test('a start whose output nobody reads any more goes on, and ends as any other', async () => {
  expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const page = await start();
  service.closeOutput();
  for (let n = 0; n < 3; n++) expect((await postAsShown(page)).status).toBe(202);
  expect((await fetch(`${service.baseUrl}/healthz`)).status).toBe(200);
  expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('with HTTPS_ONLY there is no demo, which the page says, and nothing of one is made: it can be seen later', async () => {
  const own = await mkdtemp(join(tmpdir(), 'posthorn-first-run-'));
  onTestFinished(() => rm(own, { recursive: true, force: true }));
  for (const [only, page] of [
    ['true', /no demo: HTTPS_ONLY/],
    ['false', /The receiver checked the signature: verified/],
  ] as const) {
    const each = await startServiceProcess({ DATA_DIR: own, PORT: '0', HTTPS_ONLY: only });
    try {
      await each.said(/Ctrl-C stops it/);
      expect(each.output()).toMatch(page);
    } finally {
      await each.kill('SIGTERM');
    }
  }
});
