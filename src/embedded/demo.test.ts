import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { apiClient } from './demo.ts';

/** An API that answers its first calls 503, as one does whose Postgres is kept waiting. */
async function busyApi(refusals: number) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    bodies.push((await request.toArray()).join(''));
    const isBusy = bodies.length <= refusals;
    response.writeHead(isBusy ? 503 : 201).end(JSON.stringify(isBusy ? { detail: 'not now' } : { id: 'tenant_123' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { api: apiClient(`http://127.0.0.1:${port}`, 'op_key', 1), bodies };
}

test('what the API cannot do yet because the machine is busy is asked for again', async () => {
  const { api, bodies } = await busyApi(2);
  expect(await api('POST', '/v1/events', '{}')).toEqual({ id: 'tenant_123' });
  expect(bodies).toEqual(['{}', '{}', '{}']);
});

test('an API that stays busy is not asked for ever', async () => {
  const { api, bodies } = await busyApi(100);
  await expect(api('GET', '/v1/tenants')).rejects.toThrow('GET /v1/tenants answered 503: not now');
  expect(bodies).toHaveLength(5);
});

test('what may be done although the answer was 503, and would be done twice, is not asked for again', async () => {
  const { api, bodies } = await busyApi(1);
  await expect(api('POST', '/v1/tenants', '{}')).rejects.toThrow('answered 503');
  expect(bodies).toEqual(['{}']);
});
