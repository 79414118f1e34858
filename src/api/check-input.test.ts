import { expect, test } from 'vitest';
import { z } from 'zod';
import { SCOPES } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { checkInput } from './check-input.ts';
import type { Route } from './route.ts';
import { createEndpoint } from './routes/endpoints.ts';
import { testFilter } from './routes/filter-test.ts';
import { createKey } from './routes/keys.ts';
import { createSource } from './routes/sources.ts';
import { createTenant } from './routes/tenants.ts';
import { versionPins } from './version-pins.ts';

function faultsOf(schema: z.ZodType, value: unknown) {
  try {
    checkInput(schema, value, 'body');
    return [];
  } catch (error) {
    return error instanceof Refusal ? error.faults : [];
  }
}

test.each([
  ['unknown fields', z.strictObject({}), 'unknown field'],
  ['values that are none', z.record(z.string(), z.string('expected text')), 'expected text'],
])('of very many faults the first hundred are told: %s', (_, schema, message) => {
  const value = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, i]));
  const expected = Array.from({ length: 100 }, (_, i) => ({ path: `f${i}`, message }));
  expect(faultsOf(schema, value)).toEqual(expected);
});

test('of very many pins the first faults are told', () => {
  const pins = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`bad pattern ${i}`, '1']));
  const faults = faultsOf(versionPins, pins);
  expect(faults).toHaveLength(100);
  expect(faults[0]).toEqual({ path: '', message: 'expected at most 50 patterns' });
});

/** What a call says of a body. */
const said = (route: Route, body: unknown) =>
  faultsOf(route.body!, body).map(({ path, message }) => `${path}: ${message}`);

test.each<[string, Route, unknown, readonly string[]]>([
  [
    'a tenant',
    createTenant,
    { name: 5, limits: [] },
    ['name: expected a string, not a number', 'limits: expected an object, not an array'],
  ],
  [
    'a key',
    createKey,
    { scopes: ['all'], expires_in_seconds: 'a day', expires_at: 'tomorrow' },
    [
      `scopes.0: expected one of ${SCOPES.join(', ')}`,
      'expires_at: expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z',
      'expires_in_seconds: expected a whole number, not a string',
    ],
  ],
  [
    'an endpoint',
    createEndpoint,
    { url: null, enabled: 'yes', order: 'fifo', rate_limit: { burst: 0 }, max_in_flight: 1.5, descripton: '' },
    [
      'url: expected a string, not null',
      'enabled: expected true or false, not a string',
      'rate_limit.per_second: is required: a number',
      'rate_limit.burst: expected at least 1',
      'max_in_flight: expected a whole number',
      'order: expected one of none, endpoint, subject',
      'descripton: unknown field',
    ],
  ],
  ['an endpoint that goes nowhere', createEndpoint, {}, ['url: expected url or destination']],
  [
    'a destination',
    createEndpoint,
    { destination: { type: 'kafka', brokers: [], sasl: { username: 'u', password: 5 } } },
    [
      'destination.brokers: expected at least 1 item',
      'destination.topic: is required: a string',
      'destination.sasl.mechanism: is required: one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512',
      'destination.sasl.password: expected a string, not a number',
    ],
  ],
  ['a source', createSource, { name: 'orders' }, ['type: is required: kafka or rabbitmq']],
  ['a filter to try', testFilter, {}, ['event: is required: an object']],
])('a body that is not valid is told what is expected of each field: %s', (_, route, body, texts) => {
  expect(said(route, body)).toEqual(texts);
});

test('a NUL in the path or the query is refused though the schema would take it; in a body it is not looked for', () => {
  const schema = z.strictObject({ a: z.string(), b: z.union([z.string(), z.array(z.string())]) });
  const check = (value: unknown, where: 'params' | 'query' | 'body') => () => checkInput(schema, value, where);
  for (const bad of [
    { a: 'x', b: '\0' },
    { a: 'x', b: ['y', 'y\0'] },
  ]) {
    expect(check(bad, 'params')).toThrow(expect.objectContaining({ status: 404, code: 'not_found' }));
    const faults = [{ path: 'b', message: 'expected text without NUL' }];
    expect(check(bad, 'query')).toThrow(expect.objectContaining({ status: 422, faults }));
    expect(check(bad, 'body')()).toEqual(bad);
  }
  expect(check({ a: 'x', b: 'y' }, 'query')()).toEqual({ a: 'x', b: 'y' });
});
