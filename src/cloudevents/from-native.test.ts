import { expect, test } from 'vitest';
import { fromNative } from './from-native.ts';
import { writeStructured } from './write-cloud-event.ts';

const fields = {
  id: 'evt_1',
  type: 'a.b',
  version: '2.1',
  timestamp: '2024-03-14T10:30:00Z',
  tenant_id: 'acme',
  correlation_id: 'corr_1',
  subject: 'customer-7',
};

function written(rest: string): string {
  const body = Buffer.from(`${JSON.stringify(fields).slice(0, -1)}${rest}}`);
  return Buffer.from(writeStructured(fromNative(body)).body).toString();
}

test('an event of ours is a CloudEvent with all that it says, its data to the letter', () => {
  expect(written(',"data":{"n":9007199254740993},"metadata":{"source":"billing","region":"eu","tries":3}')).toBe(
    '{"specversion":"1.0","id":"evt_1","source":"billing","type":"a.b","subject":"customer-7","time":"2024-03-14T10:30:00Z",' +
      '"datacontenttype":"application/json","correlationid":"corr_1","region":"eu","tenantid":"acme","tries":3,"typeversion":"2.1",' +
      '"data":{"n":9007199254740993}}',
  );
});

test('metadata that no extension can hold are left out', () => {
  const metadata = {
    source: 'my service',
    idempotency_key: 'k',
    Upper: 'x',
    nested: {},
    list: [],
    pi: 3.14,
    big: 2 ** 40,
    none: null,
    id: 'mine',
    data: 'x',
    long: 'x'.repeat(5000),
    tenantid: 'other',
    ok: true,
  };
  expect(JSON.parse(written(`,"data":1,"metadata":${JSON.stringify(metadata)}`))).toEqual({
    specversion: '1.0',
    id: 'evt_1',
    source: 'my%20service',
    type: 'a.b',
    subject: 'customer-7',
    time: '2024-03-14T10:30:00Z',
    datacontenttype: 'application/json',
    correlationid: 'corr_1',
    tenantid: 'acme',
    typeversion: '2.1',
    ok: true,
    data: 1,
  });
});

test.each([
  'null',
  '[]',
  '"text"',
  '{}',
  '{"source":5}',
  '{"source":""}',
  '{"cloud_event":null}',
  '{"cloud_event":"x"}',
  '{"source":"/s","cloud_event":[]}',
  '{"source":"/s","cloud_event":{"id":5}}',
  '{"source":"/s","cloud_event":{"id":""}}',
  '{"source":"a b","cloud_event":{"id":"1"}}',
  '{"cloud_event":{"id":"1"}}',
  '{"source":"/s","cloud_event":{"id":"1","datacontenttype":"x\\r\\ny"}}',
  '{"source":"/s","cloud_event":{"id":"1","dataschema":"no uri"}}',
])('metadata that only look like those of a CloudEvent do no harm: %s', (metadata) => {
  expect(JSON.parse(written(`,"data":{},"metadata":${metadata}`))).toMatchObject({ id: 'evt_1', data: {} });
});

test('data that a cast has changed are what is delivered, whatever was noted of those that came', () => {
  const origin = (rest: object) => `,"metadata":{"source":"/s","cloud_event":${JSON.stringify({ id: '1', ...rest })}}`;
  expect(JSON.parse(written(`,"data":{"a":1}${origin({ data: 'none' })}`))).toMatchObject({ data: { a: 1 } });
  expect(JSON.parse(written(`,"data":{"a":1}${origin({ data: 'base64' })}`))).toMatchObject({ data: { a: 1 } });
  expect(JSON.parse(written(`,"data":"no base64"${origin({ data: 'base64' })}`))).toMatchObject({ data: 'no base64' });
  expect(JSON.parse(written(`,"data":{"a":1}${origin({ datacontenttype: 'text/plain' })}`))).toMatchObject({
    datacontenttype: 'application/json',
    data: { a: 1 },
  });
  expect(JSON.parse(written(`,"data":1${origin({})}`))).toMatchObject({ id: '1', source: '/s', typeversion: '2.1' });
});

test('a version that came as an extension is that of a cast afterwards, be it 1.0', () => {
  const typeversion = (version: string, came: object) => {
    const metadata = JSON.stringify({ source: '/s', ...came, cloud_event: { id: '1' } });
    return JSON.parse(written(`,"version":"${version}","data":1,"metadata":${metadata}`)).typeversion;
  };
  expect(typeversion('1.0', { typeversion: '2.0' })).toBe('1.0');
  expect(typeversion('1.0', { typeversion: 'newest' })).toBe('newest');
  expect(typeversion('1.0', {})).toBeUndefined();
});
