import { expect, test } from 'vitest';
import { textOfBase64 } from './text-of-base64.ts';

const base64 = (...bytes: readonly (number | string)[]) =>
  Buffer.concat(bytes.map((each) => (typeof each === 'string' ? Buffer.from(each) : Buffer.from([each])))).toString(
    'base64',
  );

test('bytes are read as UTF-8; a byte order mark, for which JSON is refused, is not left out', () => {
  expect(textOfBase64(base64('ähm 🎈', 0))).toEqual({ text: 'ähm 🎈\0', encoding: 'utf-8' });
  expect(textOfBase64(base64(0xef, 0xbb, 0xbf, '{}'))).toEqual({ text: '\ufeff{}', encoding: 'utf-8' });
  expect(textOfBase64('')).toEqual({ text: '', encoding: 'utf-8' });
});

test('what is no UTF-8 is shown as it came', () => {
  const bytes = base64('a', 0xff);
  expect(textOfBase64(bytes)).toEqual({ text: bytes, encoding: 'base64' });
});
