import { expect, test } from 'vitest';
import { specExamples } from './fixtures/spec-examples.ts';
import { readStructured } from './read-structured.ts';

const least = { specversion: '1.0', id: '1', source: '/s', type: 'a.b' };

function faultsOf(event: object | string): readonly { path: string; message: string }[] {
  const result = readStructured(typeof event === 'string' ? event : JSON.stringify(event));
  return result.ok ? [] : result.faults;
}

function pathsOf(event: object | string): string[] {
  return faultsOf(event).map(({ path }) => path);
}

test.each(specExamples)('the example of the specification with $title is read', ({ structured }) => {
  const result = readStructured(structured);
  const given = JSON.parse(structured);
  expect(result).toMatchObject({
    ok: true,
    event: {
      id: given.id,
      source: '/mycontext',
      type: 'com.example.someevent',
      time: '2018-04-05T17:31:00Z',
      subject: undefined,
      datacontenttype: given.datacontenttype,
      extensions: [
        { name: 'comexampleextension1', value: 'value' },
        { name: 'comexampleothervalue', value: 5 },
      ],
    },
  });
});

test('data are kept as what they are: JSON to the letter, text, bytes, or none', () => {
  const dataOf = (rest: string) => {
    const result = readStructured(`{"specversion":"1.0","id":"1","source":"/s","type":"t"${rest}}`);
    return result.ok ? result.event.data : result.faults;
  };
  expect(dataOf(', "data": { "n": 9007199254740993, "m": 1.10 }')).toEqual({
    kind: 'json',
    text: '{"n":9007199254740993,"m":1.10}',
  });
  expect(dataOf(',"data":null')).toEqual({ kind: 'json', text: 'null' });
  expect(dataOf(',"data":"{}","datacontenttype":"text/plain"')).toEqual({ kind: 'text', text: '{}' });
  expect(dataOf(',"data":"{}","datacontenttype":"application/problem+json; charset=utf-8"')).toEqual({
    kind: 'json',
    text: '"{}"',
  });
  expect(dataOf(',"data_base64":"AP8="')).toEqual({ kind: 'binary', base64: 'AP8=' });
  expect(dataOf(',"data_base64":null')).toBeNull();
  expect(dataOf('')).toBeNull();
});

test('each required attribute that is missing, null or empty is named', () => {
  expect(pathsOf({})).toEqual(['specversion', 'id', 'source', 'type']);
  for (const name of Object.keys(least)) {
    expect(pathsOf({ ...least, [name]: null })).toEqual([name]);
    expect(pathsOf({ ...least, [name]: '' })).toEqual([name]);
    expect(pathsOf({ ...least, [name]: 5 })).toEqual([name]);
  }
});

test('a version of CloudEvents that is not 1.0 is refused by name', () => {
  expect(faultsOf({ ...least, specversion: '0.3' })).toEqual([
    { path: 'specversion', message: 'expected "1.0": no other version of CloudEvents is taken' },
  ]);
});

test.each<[string, object | string]>([
  ['', '[]'],
  ['', '"text"'],
  ['id', '{"specversion":"1.0","id":"1","id":"1","source":"/s","type":"t"}'],
  ['data', '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"data":1}'],
  ['id', { ...least, id: 'a\u0000b' }],
  ['id', '{"specversion":"1.0","id":"\\ud800","source":"/s","type":"t"}'],
  ['id', { ...least, id: 'x'.repeat(1025) }],
  ['id', { ...least, id: 'a\ufffeb' }],
  ['source', { ...least, source: `/${'x'.repeat(2048)}` }],
  ['source', { ...least, source: 'with space' }],
  ['source', { ...least, source: '/ünïcode' }],
  ['source', { ...least, source: '/100%' }],
  ['dataschema', { ...least, dataschema: '/relative' }],
  ['datacontenttype', { ...least, datacontenttype: 'json' }],
  ['datacontenttype', { ...least, datacontenttype: 'text/plain\r\nx: y' }],
  ['datacontenttype', { ...least, datacontenttype: `text/${'x'.repeat(252)}` }],
  ['time', { ...least, time: 5 }],
  ['subject', { ...least, subject: '' }],
  ['comExample', { ...least, comExample: 'x' }],
  ['com_example', { ...least, com_example: 'x' }],
  ['x'.repeat(65), { ...least, ['x'.repeat(65)]: 'x' }],
  ['ext', { ...least, ext: {} }],
  ['ext', { ...least, ext: [] }],
  ['ext', { ...least, ext: 1.5 }],
  ['ext', { ...least, ext: 2 ** 31 }],
  ['ext', '{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":1e2}'],
  ['ext', { ...least, ext: 'x'.repeat(4097) }],
  ['data_base64', { ...least, data_base64: 'no base64' }],
  ['data_base64', { ...least, data_base64: 5 }],
  ['data_base64', { ...least, data_base64: 'AP8' }],
  ['data_base64', { ...least, data: 1, data_base64: 'AP8=' }],
  ['data_base64', '{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AP8=","data_base64":"AAA="}'],
  ['data', { ...least, datacontenttype: 'text/plain', data: {} }],
])('what the specification does not allow is refused at its place: %j', (path, event) => {
  expect(pathsOf(event)).toEqual([path]);
});

test.each([
  { ...least, id: 'any / characters.at~all é😀' },
  { ...least, source: 'mailto:cncf-wg-serverless@lists.cncf.io' },
  { ...least, source: 'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66' },
  { ...least, source: '1-555-123-4567' },
  { ...least, source: 'https://example.com/%E2%82%AC?q=1#f' },
  { ...least, ext: -(2 ** 31) },
  { ...least, ext: false },
  { ...least, source: `/${'x'.repeat(2047)}` },
  { ...least, ['x'.repeat(64)]: '' },
  { ...least, datacontenttype: `text/${'x'.repeat(251)}` },
  { ...least, datacontenttype: 'multipart/related; boundary="a b"; start=x' },
])('what the specification allows is taken: %j', (event) => {
  expect(faultsOf(event)).toEqual([]);
});

test('members past the bound are refused, those that are null included', () => {
  const withNulls = (count: number) => ({
    ...least,
    ...Object.fromEntries(Array.from({ length: count - 4 }, (_, i) => [`x${i}`, null])),
  });
  expect(faultsOf(withNulls(100))).toEqual([]);
  expect(faultsOf(withNulls(101))).toEqual([{ path: '', message: 'expected at most 100 members' }]);
});

test('extensions past the bound are refused, whatever they are called', () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`x${i}`, i]));
  expect(pathsOf({ ...least, ...many })).toEqual(['']);
});
