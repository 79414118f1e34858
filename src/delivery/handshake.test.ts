import { expect, test } from 'vitest';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import type { Outcome } from '../domain/outcome.ts';
import { prepareHandshake, readHandshake } from './handshake.ts';

const ORIGIN = 'events.example.com';
const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };

function answered(status: number, headers: Record<string, string> = {}): Outcome {
  const kind = status >= 200 && status <= 299 ? 'delivered' : 'rejected';
  return { kind, response: { status, headers, body: new Uint8Array(0), truncated: false }, timing };
}

function allowing(origin: string, rate?: string): Outcome {
  return answered(200, {
    'webhook-allowed-origin': origin,
    ...(rate !== undefined && { 'webhook-allowed-rate': rate }),
  });
}

const target: DeliveryTarget = {
  num: 1,
  id: 'ep_1',
  tenantNum: 7,
  tenantId: 'acme',
  destination: { type: 'http', url: 'https://receiver.example/hooks?a=b' },
  enabled: true,
  deleted: false,
  headers: { Authorization: 'Bearer x' },
  secrets: [],
  format: 'native',
  awaitsValidation: true,
  requestOrigin: null,
  retryScheduleMs: [0],
  timeoutMs: 60_000,
  maxInFlight: 1,
  rateLimit: { perSecond: 2, burst: 1 },
  onDeadLetter: 'continue',
  version: 1,
};

test('the request goes to the very URL of the endpoint, with its headers, our name and the rate that it wants', () => {
  expect(prepareHandshake(target, ORIGIN, 'Posthorn/1')).toEqual({
    type: 'http',
    origin: 'https://receiver.example',
    tenantNum: 7,
    path: '/hooks?a=b',
    method: 'OPTIONS',
    headers: [
      ...['user-agent', 'Posthorn/1', 'webhook-request-origin', ORIGIN, 'Authorization', 'Bearer x'],
      ...['webhook-request-rate', '120'],
    ],
    body: new Uint8Array(0),
    timeoutMs: 15_000,
  });
  expect(prepareHandshake({ ...target, rateLimit: null }, ORIGIN, 'x').headers).not.toContain('webhook-request-rate');
  const slow = { ...target, rateLimit: { perSecond: 0.001, burst: 1 } };
  expect(prepareHandshake(slow, ORIGIN, 'x').headers.at(-1)).toBe('1');
});

test('a receiver agrees by naming our origin, or all of them', () => {
  expect(readHandshake(allowing(ORIGIN), ORIGIN)).toEqual({ kind: 'allowed', allowedPerMinute: null });
  expect(readHandshake(allowing('Events.Example.COM', '100'), ORIGIN)).toEqual({
    kind: 'allowed',
    allowedPerMinute: 100,
  });
  expect(readHandshake(allowing('*', '*'), ORIGIN)).toEqual({ kind: 'allowed', allowedPerMinute: null });
});

test.each<[string, Outcome]>([
  ['no header', answered(200)],
  ['another origin', allowing('evil.example')],
  ['a list', allowing(`${ORIGIN}, other.example`)],
  ['an empty one', allowing('')],
  ['a rate of none', allowing('*', '0')],
  ['a rate that is no number', allowing('*', 'many')],
  ['a rate that is no whole number', allowing('*', '1.5')],
  ['405', answered(405)],
  ['404 with the header', answered(404, { 'webhook-allowed-origin': '*' })],
  ['a redirect', answered(302, { 'webhook-allowed-origin': '*' })],
])('what is no agreement is a refusal: %s', (_title, outcome) => {
  expect(readHandshake(outcome, ORIGIN)).toMatchObject({ kind: 'refused', detail: expect.any(String) });
});

test.each<Outcome>([
  answered(500),
  answered(503),
  answered(429),
  answered(408),
  { kind: 'unreachable', reason: 'refused', detail: 'connection refused', timing },
  { kind: 'blocked', detail: 'address 10.0.0.1 is private', timing },
])('a receiver that cannot say is asked again: %j', (outcome) => {
  expect(readHandshake(outcome, ORIGIN)).toMatchObject({ kind: 'unknown', detail: expect.any(String) });
});
