import { globSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestService, type TestService } from '../support/test-service.ts';

const FOLDER = fileURLToPath(new URL('../../src/console', import.meta.url));

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

const get = (path: string, init: RequestInit = {}) =>
  fetch(`${service.baseUrl}${path}`, { redirect: 'manual', ...init });

/** With the path as it is: fetch would resolve the dots. */
function statusOfRaw(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(service.baseUrl, { path }, (response) => resolve(response.resume().statusCode));
    asked.on('error', reject).end();
  });
}

test('the page loads scripts and a style of its own and asks this API, and nothing else', async () => {
  const page = await get('/console/');
  expect(page.status).toBe(200);
  expect(Object.fromEntries(page.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; " +
      "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
    etag: expect.stringMatching(/^"[\w-]{43}"$/),
  });
  const html = await page.text();
  expect(html).not.toMatch(/<style|style=|onload=|<script>/);
  expect([...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1])).toEqual([
    'icon.svg',
    'console.css',
    'page/main.ts',
    '../docs',
  ]);
});

test('/console leads to /console/, also behind a proxy that gives it a path of its own', async () => {
  const answer = await get('/console');
  expect([answer.status, answer.headers.get('location')]).toEqual([308, 'console/']);
  expect((await get('/console?a=1')).headers.get('location')).toBe('console/?a=1');
  const root = await get('/');
  expect([root.status, root.headers.get('location')]).toEqual([302, 'console/']);
});

test('every module that a module imports is served, as JavaScript without types', async () => {
  const seen = new Set<string>();
  const follow = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const answer = await get(path);
    expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
      path,
      200,
      'text/javascript; charset=utf-8',
    ]);
    const text = await answer.text();
    expect(text).not.toMatch(/^(interface|type|import type) /m);
    const imports = [...text.matchAll(/^\s*(?:import .* |\} )from '([^']+)';$/gm)].map((match) => match[1]!);
    await Promise.all(imports.map((name) => follow(new URL(name, service.baseUrl + path).pathname)));
  };
  await follow('/console/page/main.ts');
  expect(seen.size).toBeGreaterThan(20);
});

test('who has a file already is told that it has not changed', async () => {
  const first = await get('/console/console.css');
  // Node's fetch would say no-cache of itself.
  const known = { 'cache-control': 'max-age=0', 'if-none-match': first.headers.get('etag')! };
  const again = await get('/console/console.css', { headers: known });
  expect([again.status, await again.text()]).toEqual([304, '']);
  const changed = await get('/console/console.css', { headers: { ...known, 'if-none-match': '"other"' } });
  expect(changed.status).toBe(200);
});

test('HEAD says what GET would, and other methods are refused', async () => {
  const [head, whole] = [await get('/console/page/main.ts', { method: 'HEAD' }), await get('/console/page/main.ts')];
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect(head.headers.get('etag')).toBe(whole.headers.get('etag'));
  for (const path of ['/console', '/console/', '/console/page/main.ts'])
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const refused = await get(path, { method });
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      expect(await refused.json()).toMatchObject({ code: 'method_not_allowed' });
    }
});

test('nothing else is served: no folder, no test, no other file by whatever path', async () => {
  const tests = globSync('**/*.test.ts', { cwd: FOLDER });
  expect(tests.length).toBeGreaterThan(0);
  const others = ['page', 'page/', 'logic/', 'index.html', 'tsconfig.json', ...tests];
  for (const name of others) expect([name, (await get(`/console/${name}`)).status]).toEqual([name, 404]);
  for (const path of [
    '/console/../main.ts',
    '/console/page/../../main.ts',
    '/console/%2e%2e/main.ts',
    '/console/..%2fmain.ts',
    '/console/page/..%5c..%5cmain.ts',
    '/console//etc/passwd',
    '/console/page/main.ts%00.css',
  ])
    expect([path, await statusOfRaw(path)]).toEqual([path, 404]);
});
