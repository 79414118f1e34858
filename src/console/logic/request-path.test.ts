import { expect, test } from 'vitest';
import { requestPath } from './request-path.ts';

test('no id leads to another call', () => {
  const base = 'https://posthorn.example/v1/';
  for (const id of ['a/b', '../../metrics', '?x=1', '#y', 'ä ö', '%2e%2e', '\\..\\..\\metrics'])
    expect(new URL(requestPath(['tenants', id]), base).href).toBe(`${base}tenants/${encodeURIComponent(id)}`);
  for (const id of ['..', '.', '']) expect(() => requestPath(['tenants', id])).toThrow('No object has such an id.');
});

test('filters that are not set are not asked for', () => {
  const query = { limit: 20, type: 'a.b', subject: '', cursor: undefined, since: '2024-03-14T10:30:00+01:00' };
  expect(requestPath(['events'], query)).toBe('events?limit=20&type=a.b&since=2024-03-14T10%3A30%3A00%2B01%3A00');
});
