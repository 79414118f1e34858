import { expect, test } from 'vitest';
import { expungedBody } from './expunged-body.ts';

test('expunging keeps the envelope byte for byte, empties the data and drops the metadata', () => {
  const body =
    '{"id":"e-1","type":"a.b","subject":"\\u00e9 {\\"data\\":1}","data":{"data":[1,{"metadata":2}]},"metadata":{"source":"x"}}';
  expect(expungedBody(Buffer.from(body)).toString()).toBe(
    '{"id":"e-1","type":"a.b","subject":"\\u00e9 {\\"data\\":1}","data":null}',
  );
});
