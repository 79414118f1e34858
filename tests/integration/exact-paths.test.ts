import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestService, type TestService } from '../support/test-service.ts';
import { OPERATOR_KEY } from '../support/test-settings.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

async function answerTo(path: string, method = 'GET'): Promise<[number, string | null]> {
  const response = await fetch(`${service.baseUrl}${path}`, {
    method,
    redirect: 'manual',
    headers: { authorization: `Bearer ${OPERATOR_KEY}` },
  });
  await response.body?.cancel();
  return [response.status, response.headers.get('allow')];
}

const OPEN = ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs'];

test.each(OPEN)('%s, which only a proxy keeps from the public, is served under no other spelling', async (path) => {
  expect(await answerTo(path)).toEqual([200, null]);
  expect(await answerTo(path, 'POST')).toEqual([405, 'GET, HEAD']);
  for (const other of [path.toUpperCase(), `${path.slice(0, -1)}${path.at(-1)!.toUpperCase()}`, `${path}/`, `/${path}`])
    for (const method of ['GET', 'POST']) expect([other, await answerTo(other, method)]).toEqual([other, [404, null]]);
});

test.each(['/CONSOLE/', '/Console', '/console/CONSOLE.css', '/V1/tenants', '/v1/Tenants'])(
  '%s is no path: case counts',
  async (path) => expect(await answerTo(path)).toEqual([404, null]),
);

test('events are taken under their own path alone', async () => {
  expect((await answerTo('/V1/EVENTS', 'POST'))[0]).toBe(404);
  expect((await answerTo('/v1/Events', 'POST'))[0]).toBe(404);
});

test('a slash at the end of a call that needs a key is passed over', async () => {
  expect(await answerTo('/v1/tenants/')).toEqual([200, null]);
  expect(await answerTo('/v1/tenants/', 'DELETE')).toEqual([405, 'POST, GET, HEAD']);
});
