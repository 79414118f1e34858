import { expect, test } from 'vitest';
import { tlsText } from './tls-text.ts';

const line = (reason: string, after = '') =>
  `40339CDE477F0000:error:0A00010B:SSL routines:tls_validate_record_header:${reason}:../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:78:${after}\n`;

test.each([
  ['wrong version number', 'what answers on this port does not speak TLS'],
  ['ssl/tls alert handshake failure', 'the other side refused the TLS handshake'],
  ['sslv3 alert handshake failure', 'the other side refused the TLS handshake'],
  ['tlsv1 alert protocol version', 'the two sides have no version of TLS in common'],
  ['unsupported protocol', 'the two sides have no version of TLS in common'],
  ['tlsv13 alert certificate required', 'the other side wants a client certificate'],
  ['tlsv1 alert unknown ca', 'tlsv1 alert unknown ca'],
])('of OpenSSL’s line on "%s" there is left what went wrong', (reason, expected) => {
  expect(tlsText(line(reason, 'SSL alert number 40'))).toBe(expected);
});

test.each(['C:\\', 'd:/'])('a path of Windows goes too: %s', (drive) => {
  const onWindows = line('bad length').replace('../deps/', `${drive}deps\\`);
  expect(onWindows).toContain(`:bad length:${drive}deps\\openssl`);
  expect(tlsText(`write EPROTO ${onWindows}`)).toBe('write EPROTO bad length');
});

test('what stands around such lines stays, and each of several is told', () => {
  const text = `write EPROTO ${line('wrong version number')}${line('bad length')}`;
  expect(tlsText(text)).toBe('write EPROTO what answers on this port does not speak TLS bad length');
  expect(tlsText(`Connection failed. ${line('bad length')} Later.`)).toBe('Connection failed. bad length Later.');
});

test.each([
  'certificate has expired',
  "Hostname/IP does not match certificate's altnames: Host: a.test. is not in the cert's altnames: DNS:b.test",
  'error: 5:3',
])('any other text stays as it is: %s', (text) => {
  expect(tlsText(text)).toBe(text);
});
