import { expect, test } from 'vitest';
import { textOfBase64 } from './text-of-base64.ts';

test('bytes are read as UTF-8, and what is none is shown as such', () => {
  const bytes = Buffer.concat([Buffer.from('ähm 🎈'), Buffer.from([0xff, 0x00])]);
  expect(textOfBase64(bytes.toString('base64'))).toBe('ähm 🎈\ufffd\0');
  expect(textOfBase64('')).toBe('');
});
