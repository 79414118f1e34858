import type { Logger } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { deliveryIdOf, newUuid } from '../domain/ids.ts';
import { Observer } from './observer.ts';

let lines: (Record<string, unknown> & { level: string })[];
let observe: Observer;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: 1_700_000_000_000 });
  lines = [];
  const write = (level: string) => (line: object) => lines.push({ level, ...line });
  const log = { info: write('info'), warn: write('warn'), error: write('error'), fatal: write('fatal') };
  observe = new Observer(log as unknown as Logger, (event, members) =>
    write('info')({ event, ...JSON.parse(`{${members}}`) }),
  );
});

afterEach(() => {
  vi.useRealTimers();
});

const timing = { dnsMs: 1, connectMs: 2, firstByteMs: 3, totalMs: 4.6 };
const ids = { deliveryId: deliveryIdOf(newUuid(Date.now()), 1), endpointId: 'ep_1', tenantId: 'tenant_1' };

test('an attempt is one line of ids, classes, counts and times, without headers, body or detail of the response', () => {
  const response = { status: 500, headers: { 'set-cookie': 'secret' }, body: Buffer.from('secret'), truncated: false };
  const outcome = { kind: 'rejected', response, timing } as const;
  observe.attemptFinished({ attempt: 2, outcome, decision: { kind: 'retry', delayMs: 5_000.4 } }, ids);
  expect(lines).toEqual([
    {
      level: 'info',
      event: 'attempt.finished',
      delivery_id: ids.deliveryId,
      endpoint_id: 'ep_1',
      tenant_id: 'tenant_1',
      attempt: 2,
      outcome: 'rejected',
      status: 500,
      total_ms: 5,
      decision: 'retry',
      retry_in_ms: 5_000,
    },
  ]);
});

test('an attempt that reached nobody has the outcome that the API shows; its detail is not told', () => {
  const outcome = { kind: 'unreachable', reason: 'dns', detail: 'https://user:secret@host', timing } as const;
  observe.attemptFinished({ attempt: 2, outcome, decision: { kind: 'dead_letter' } }, ids);
  expect(lines[0]).toMatchObject({ outcome: 'dns', decision: 'dead_letter' });
  expect(lines[0]).not.toHaveProperty('reason');
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('deliveries that expired are counted, and told of each endpoint, but of no more than a hundred one by one', async () => {
  const expired = Array.from({ length: 103 }, (_, n) => ({ tenantId: 'acme', endpointId: `ep_${n}`, count: 200 - n }));
  observe.deliveriesExpired(expired);
  expect(lines).toHaveLength(101);
  expect(lines[0]).toEqual({
    level: 'warn',
    event: 'delivery.expired',
    tenant_id: 'acme',
    endpoint_id: 'ep_0',
    count: 200,
  });
  expect(lines.at(-1)).toEqual({ level: 'warn', event: 'delivery.expired', endpoints: 3, count: 100 + 99 + 98 });
  const total = expired.reduce((sum, { count }) => sum + count, 0);
  const text = await observe.metrics.text();
  for (const name of ['deliveries_expired_total', 'dead_letters_total'])
    expect(text).toMatch(new RegExp(`^posthorn_${name}(\\{[^}]*\\})? ${total}$`, 'm'));
});

test.each([
  ['postgres://user:s3cret@host:5432/db', 's3cret'],
  ['redis+sentinel://:s3cret@host:1,host:2/m', 's3cret'],
  ['https://s3cret@host/path', 's3cret'],
  ['postgres://user:s3c/ret@host/db', 'ret@'],
  ['postgres://user:s3c@ret@host/db', 'ret@'],
  ['https://host/hook?token=s3cret', 's3cret'],
  ['https://host/hook?s3cret refused', 's3cret'],
  ['operator key pho_ABC-def_123 refused', 'ABC-def'],
  ['key phk_abcdefghijkl_ABC-def_123 refused', 'ABC-def'],
  ['secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw= refused', 'MfKQ'],
  ['secret whsk_AAAA/BBBB+CC== refused', 'AAAA'],
])('what an error says goes into the log without its secrets: %s', (message, secret) => {
  observe.workFailed('x', Object.assign(new Error(message), { code: 'E' }));
  observe.requestFailed({ requestId: 'req_1', method: 'GET', path: '/v1', status: 500, error: new Error(message) });
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain(secret);
});

test('fields of a driver error beside its code and message stay out of the log', () => {
  const error = Object.assign(new Error('duplicate key'), {
    code: '23505',
    detail: 'Key (x)=(secret)',
    parameters: ['secret'],
  });
  observe.queueFailed(error);
  expect(lines[0]).toMatchObject({ level: 'warn', code: '23505', message: 'duplicate key' });
  expect(JSON.stringify(lines)).not.toContain('(secret)');
});

test.each([['text'], [undefined], [null], [5], [{}]])('a thrown %o is logged like any failure', (thrown) => {
  observe.workFailed('x', thrown);
  expect(lines).toHaveLength(1);
});

test('an endpoint whose work fails is told of beside others that fail likewise', () => {
  for (const endpointId of ['ep_1', 'ep_2', 'ep_1'])
    observe.workFailed('endpoint', new Error('sealed'), { endpointId, tenantId: 'tenant_1' });
  expect(lines.map(({ endpoint_id }) => endpoint_id)).toEqual(['ep_1', 'ep_2']);
});

test('thousands that fail at once are told of once each, and again a second later', () => {
  const all = Array.from({ length: 2_000 }, (_, i) => `ep_${i}`);
  const fail = (endpointId: string) => observe.workFailed('endpoint', new Error('sealed'), { endpointId });
  for (let round = 0; round < 3; round++) all.forEach(fail);
  expect(lines.map(({ endpoint_id }) => endpoint_id)).toEqual(all);
  vi.advanceTimersByTime(1_000);
  all.forEach(fail);
  expect(lines).toHaveLength(4_000);
});

test('what fails many times a second is told once a second, each kind for itself, numbers in its name aside', () => {
  for (let i = 0; i < 100; i++) observe.workFailed(`settle of ${i} attempts`, new Error('away'));
  observe.workFailed('heartbeat', new Error('away'));
  expect(lines.map(({ what }) => what)).toEqual(['settle of 0 attempts', 'heartbeat']);
  vi.advanceTimersByTime(1_000);
  observe.workFailed('settle of 7 attempts', new Error('away'));
  expect(lines).toHaveLength(3);
});
