import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { checkCounters, checkWalls } from './check-after.ts';

const ENDPOINTS = ['one', 'two', 'gone'].map((id, i) => ({
  id,
  tenant: i === 1 ? 'globex' : 'acme',
  spec: { name: id },
}));

/** What the API answers for the statistics of an endpoint; null for a 500. */
type Stats = { delivered: number; sampled?: boolean } | 404 | null;

const counters = (stats: Record<string, Stats>, done = [3, 4, 5]) =>
  checkCounters(
    {
      endpoints: ENDPOINTS,
      query: async () => [{ id: 'gone' }],
      call: async (_method, path, _body, expected = 200) => {
        const answer = stats[path.split('/').at(-2)!] ?? null;
        const status = answer === null ? 500 : answer === 404 ? 404 : 200;
        if (status !== expected) throw new Error(`${path} answered ${status}`);
        return answer;
      },
    },
    { doneByEndpoint: done },
  );

test('counters that agree hold, and say how many were compared', async () => {
  const found = await counters({ one: { delivered: 3 }, two: { delivered: 4 }, gone: 404 });
  expect(found).toMatchObject({ isHeld: true, evidence: '2 of 3 endpoints, 0 by their newest attempts, 1 deleted' });
});

test.each<[string, Record<string, Stats>, RegExp]>([
  ['statistics that nobody can read', {}, /endpoint 0: .*answered 500 \| endpoint 1: .*500 \| endpoint 2: .*500/],
  ['a 404 for an endpoint that was not deleted', { one: { delivered: 3 }, two: 404, gone: 404 }, /endpoint 1: .*404/],
  [
    'statistics of one that was',
    { one: { delivered: 3 }, two: { delivered: 4 }, gone: { delivered: 5 } },
    /endpoint 2: .*200/,
  ],
  ['another number', { one: { delivered: 2 }, two: { delivered: 4 }, gone: 404 }, /^endpoint 0: 2 .*, 3 /],
  [
    'more among the newest than there are',
    { one: { delivered: 4, sampled: true }, two: { delivered: 4 }, gone: 404 },
    /^endpoint 0: 4 .*, 3 /,
  ],
])('%s: found', async (_what, stats, evidence) => {
  expect(await counters(stats)).toMatchObject({ isHeld: false, evidence: expect.stringMatching(evidence) });
});

/** The API as the key sees it. */
async function walls(statusOf: (path: string) => number) {
  const server = createServer((request, response) => void response.writeHead(statusOf(request.url!)).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return checkWalls({ endpoints: ENDPOINTS, api, call: async () => ({ key: 'key' }) });
}

test('a key that sees its own and nothing of another holds', async () => {
  expect(await walls((path) => (path.startsWith('/v1/tenants/acme/') ? 200 : 404))).toMatchObject({ isHeld: true });
});

test('a read that answered otherwise is told with what it answered', async () => {
  const leaky = await walls((path) =>
    path.startsWith('/v1/tenants/acme/') ? 200 : path.endsWith('/stats') ? 403 : 404,
  );
  expect(leaky).toMatchObject({ isHeld: false, evidence: 'globex/endpoints/two/stats answered 403, not 404' });
});

test('walls are none that are seen by a key that sees nothing at all', async () => {
  expect(await walls(() => 404)).toMatchObject({ isHeld: false, evidence: expect.stringContaining('acme/events') });
});
