import { expect, test } from 'vitest';
import { DECISION } from '../../../src/store/codes.ts';
import { checkRecords, type Evidence, type StoredAttempt, type StoredEvent } from '../../support/check-invariants.ts';
import type { ReceivedRequest } from '../../support/receiver.ts';

const endpoints = ['ep_1', 'ep_2'].map((id) => ({ id, url: `http://127.0.0.1:9/${id}`, secret: '' }));
const events: StoredEvent[] = ['a', 'b'].map((name) => ({
  uuid: `uuid-${name}`,
  id: `evt_${name}`,
  key: `key-${name}`,
}));

const request = (endpoint: string, event: string) =>
  ({
    path: `/${endpoint}`,
    headers: { 'webhook-id': `evt_${event}` },
    body: Buffer.from(event),
    answered: 204,
  }) as unknown as ReceivedRequest;
const attempt = (endpoint: string, event: string, decision: number = DECISION.done): StoredAttempt => ({
  event_id: `uuid-${event}`,
  endpoint_id: endpoint,
  decision,
});
const all = <T>(make: (endpoint: string, event: string) => T) =>
  endpoints.flatMap(({ id }) => ['a', 'b'].map((event) => make(id, event)));

/** A run that is in order: two events at two endpoints each. */
const evidence = (given: Partial<Evidence> = {}): Evidence => ({
  databaseUrl: '',
  history: events.map(({ id, key = null }) => ({ id, key, outcome: 'ok' })),
  ledger: all(request),
  endpoints,
  duplicatesAtMost: 0,
  ...given,
});

test('a run in order has no surplus', () => {
  expect(
    checkRecords(
      evidence(),
      events,
      all((endpoint, event) => attempt(endpoint, event)),
    ),
  ).toBe(0);
});

test('I6: an attempt that is made up does not make good for a request of another delivery that is not on record', () => {
  const ledger = [...all(request), request('ep_1', 'a')];
  const attempts = [...all((endpoint, event) => attempt(endpoint, event)), attempt('ep_2', 'b', DECISION.retry)];
  expect(() => checkRecords(evidence({ ledger, duplicatesAtMost: 1 }), events, attempts)).toThrow(
    'I6: deliveries with attempts on record without a request',
  );
});

test('I6: requests that are not on record are counted', () => {
  const ledger = [...all(request), { ...request('ep_1', 'a'), answered: null }];
  const attempts = all((endpoint, event) => attempt(endpoint, event));
  expect(checkRecords(evidence({ ledger, duplicatesAtMost: 1 }), events, attempts)).toBe(0);
  expect(() => checkRecords(evidence({ ledger }), events, attempts)).toThrow('I6: requests without an attempt');
});

test('I1: an event that was acknowledged and vanished with all that was of it is missed, with a key and without', () => {
  const rest = { ledger: all(request).filter(({ headers }) => headers['webhook-id'] === 'evt_b') };
  const attempts = endpoints.map(({ id }) => attempt(id, 'b'));
  for (const key of ['key-a', null]) {
    const history = [{ key, outcome: 'ok' as const, id: 'evt_a' }];
    expect(() => checkRecords(evidence({ ...rest, history }), events.slice(1), attempts)).toThrow('I1');
  }
});

test('I1: a history of nothing proves nothing', () => {
  expect(() => checkRecords(evidence({ history: [], ledger: [] }), [], [])).toThrow(
    'I1: events that were acknowledged',
  );
});

test('I2: a delivery without an end is missed', () => {
  const attempts = all((endpoint, event) => attempt(endpoint, event)).slice(1);
  expect(() => checkRecords(evidence(), events, attempts)).toThrow('I2');
});
