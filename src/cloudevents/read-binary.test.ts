import { expect, test } from 'vitest';
import { specExamples } from './fixtures/spec-examples.ts';
import { attributesOfHeaders, decodeHeader, encodeHeader } from './http-headers.ts';
import { readBinary } from './read-binary.ts';
import { readStructured } from './read-structured.ts';

function read(headers: Readonly<Record<string, string>>, body: string | Uint8Array) {
  const { attributes, faults } = attributesOfHeaders(Object.entries(headers).flat());
  expect(faults).toEqual([]);
  return readBinary({ attributes, contentType: headers['content-type'], body: Buffer.from(body) });
}

const least = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' };

function dataOf(contentType: string | undefined, body: string | Uint8Array) {
  const result = read({ ...least, ...(contentType !== undefined && { 'content-type': contentType }) }, body);
  return result.ok ? result.event.data : result.faults.map(({ path }) => path);
}

test.each(specExamples)('the example with $title is the same event in both modes', ({ structured, headers, body }) => {
  const [fromHeaders, fromJson] = [read(headers, body), readStructured(structured)];
  if (!fromHeaders.ok || !fromJson.ok) throw new Error('refused');
  expect(fromHeaders.event).toEqual({
    ...fromJson.event,
    datacontenttype: headers['content-type'],
    // A header does not tell a number from text.
    extensions: fromJson.event.extensions.map(({ name, value }) => ({ name, value: String(value) })),
  });
});

test('the payload is JSON, text or bytes, as its content type says', () => {
  expect(dataOf('application/json', ' {"n": 1.10} ')).toEqual({ kind: 'json', text: '{"n":1.10}' });
  expect(dataOf('Application/Vnd.x+JSON; charset="UTF-8"', '[1]')).toEqual({ kind: 'json', text: '[1]' });
  expect(dataOf(undefined, '5')).toEqual({ kind: 'json', text: '5' });
  expect(dataOf('text/plain', 'ü')).toEqual({ kind: 'text', text: 'ü' });
  expect(dataOf('application/soap+xml', '\ufeff<a/>')).toEqual({ kind: 'text', text: '\ufeff<a/>' });
  expect(dataOf('text/plain', Uint8Array.of(0xff))).toEqual({ kind: 'binary', base64: '/w==' });
  expect(dataOf('text/plain; charset=iso-8859-1', Uint8Array.of(0xfc))).toEqual({ kind: 'binary', base64: '/A==' });
  expect(dataOf('text/csv; charset=us-ascii', 'a,b')).toEqual({ kind: 'text', text: 'a,b' });
  expect(dataOf('application/yaml', 'a: 1')).toEqual({ kind: 'text', text: 'a: 1' });
  expect(dataOf('application/jsonl', '{}\n{}')).toEqual({ kind: 'binary', base64: 'e30Ke30=' });
  expect(dataOf('image/png', 'abc')).toEqual({ kind: 'binary', base64: 'YWJj' });
  expect(dataOf('application/json', '')).toBeNull();
  expect(dataOf('', '5')).toEqual(['datacontenttype']);
});

test.each([
  ['application/json', 'no json'],
  ['application/json', '{"a":1},"data":{}'],
  [undefined, 'text'],
  ['application/json', Uint8Array.of(0x22, 0xff, 0x22)],
  ['application/json; charset=utf-16', '1'],
  ['application/json', `${'['.repeat(101)}${']'.repeat(101)}`],
])('JSON that is not is refused: %s %s', (contentType, body) => {
  expect(dataOf(contentType, body)).toEqual(['data']);
});

test('headers are read whatever their case, and their faults are at their names', () => {
  expect(read({ ...least, 'CE-Subject': 'x' }, '')).toMatchObject({ ok: true, event: { subject: 'x' } });
  const twice = readBinary({
    attributes: [...attributesOfHeaders(['ce-id', '1', 'CE-ID', '2']).attributes, ['specversion', '1.0']],
    contentType: undefined,
    body: new Uint8Array(0),
  });
  expect(twice).toEqual({
    ok: false,
    faults: [
      { path: 'id', message: 'given more than once' },
      { path: 'source', message: 'required' },
      { path: 'type', message: 'required' },
    ],
  });
  expect(read({ ...least, 'ce-my-ext': 'x' }, '')).toMatchObject({ faults: [{ path: 'my-ext' }] });
  expect(read({ ...least, 'ce-data': 'x' }, '')).toMatchObject({ faults: [{ path: 'data' }] });
  expect(read({ ...least, 'content-type': 'text/plain', 'ce-datacontenttype': 'text/plain' }, '')).toMatchObject({
    faults: [{ path: 'datacontenttype', message: 'given more than once' }],
  });
  expect(attributesOfHeaders(['ce-subject', 'ü']).faults).toMatchObject([{ path: 'subject' }]);
});

test('header values are percent-encoded as the specification has it', () => {
  expect(encodeHeader('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80');
  expect(decodeHeader('Euro%20%E2%82%AC%20%F0%9F%98%80')).toBe('Euro € 😀');
  expect(decodeHeader('%EF%BB%BFa')).toBe('\ufeffa');
  expect(decodeHeader('%e2%82%ac%41')).toBe('€A');
  expect(decodeHeader('"quoted \\"text\\" \\\\"')).toBe('quoted "text" \\');
  expect(encodeHeader('a"b%c d')).toBe('a%22b%25c%20d');
  for (const bad of ['%C0%A0', '%ED%A0%80', '%FF', 'a\u0000b', '€'])
    expect([bad, decodeHeader(bad)]).toEqual([bad, null]);
});
