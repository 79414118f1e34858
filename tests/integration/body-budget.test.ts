import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call } from '../support/api.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  // A quarter of it is for the bodies of calls that send no events: one of the largest, or two of a tenant.
  service = await startTestService({ config: { INGEST_BUFFER_BYTES: 1024 * 1024 } });
});

afterAll(() => service.stop());

async function makeTenant(id: string) {
  expect((await call(service.baseUrl, 'POST', '/v1/tenants', { id })).status).toBe(201);
  const { key } = (await call(service.baseUrl, 'POST', `/v1/tenants/${id}/keys`, {})).body;
  const path = `/v1/tenants/${id}/filters/test`;
  return {
    test: (bytes: number) => {
      const body = JSON.stringify({ filter: {}, event: {} }).padEnd(bytes);
      return call(service.baseUrl, 'POST', path, body, { authorization: `Bearer ${key}` });
    },
    /** Announces a body and sends a part of it. */
    begin: (framing: string) => {
      const socket = connect(Number(new URL(service.baseUrl).port), '127.0.0.1');
      const head = ['POST', path, 'HTTP/1.1\r\nhost: x\r\nauthorization: Bearer', key].join(' ');
      socket.write(`${head}\r\ncontent-type: application/json\r\n${framing}\r\n\r\n`);
      return socket;
    },
  };
}

test.each(['content-length: 100000', 'transfer-encoding: chunked'])(
  'bodies of calls that do not end (%s) take no more memory than they may: their tenant is told to wait, others are served',
  async (framing) => {
    const id = framing.includes('chunked') ? 'chunks' : 'lengths';
    const [slow, other] = [await makeTenant(id), await makeTenant(`beside-${id}`)];
    expect((await slow.test(100_000)).status).not.toBe(503);
    const socket = slow.begin(framing);
    const refused = await vi.waitFor(async () => {
      const answer = await slow.test(60_000);
      expect(answer.status).toBe(503);
      return answer;
    }, PATIENCE_MS);
    expect([refused.body.code, refused.headers.get('retry-after')]).toEqual(['overloaded', '1']);
    if (!framing.includes('chunked')) expect((await other.test(60_000)).status).toBe((await other.test(0)).status);
    expect((await call(service.baseUrl, 'GET', `/v1/tenants/${id}`)).status).toBe(200);
    socket.destroy();
    await vi.waitFor(async () => expect((await slow.test(60_000)).status).not.toBe(503), PATIENCE_MS);
  },
);
