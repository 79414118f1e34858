import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasNamesOnce } from './names-once.ts';

const ask = (text: string) => hasNamesOnce(JSON.parse(text), text);

test.each([
  '{}',
  '{"a":"b"}',
  '{"source":"billing","idempotency_key":"k-1"}',
  '{"a":"\\n","b":"\\u0061","\\u0063":"é"}',
  '{"a":1,"b":[{"c":1},{"c":2}]}',
])('%s has each name once', (text) => expect(ask(text)).toBe(true));

test.each([
  '{"a":"b","a":"b"}',
  '{"a":"b","\\u0061":""}',
  // As long as what is left of it would be with other names.
  '{"a":"","a":"12345678"}',
  '{"a":"12345678","a":""}',
  '{"a":1,"a":"b"}',
  '{"a":"b","c":{"d":1,"d":1}}',
  '{"a":[{"b":1,"b":1}]}',
])('%s has a name twice', (text) => expect(ask(text)).toBe(false));

test('an object that JSON.stringify writes has each name once, and twice with one of them put in again', () => {
  const value = fc.oneof({ weight: 4, arbitrary: fc.string() }, { weight: 1, arbitrary: fc.jsonValue() });
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), value, { minKeys: 1 }), value, (object, again) => {
      const text = JSON.stringify(object);
      expect(ask(text)).toBe(true);
      const name = JSON.stringify(Object.keys(object)[0]);
      expect(ask(`{${name}:${JSON.stringify(again)},${text.slice(1)}`)).toBe(false);
    }),
  );
});
