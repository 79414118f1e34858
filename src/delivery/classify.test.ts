import { expect, test } from 'vitest';
import { classify, DeliveryFailure, isPrematureEnd } from './classify.ts';

const failed = (code: string | undefined, message = 'text', name = 'Error') =>
  Object.assign(new Error(message), { code, name });

test.each([
  ['ECONNREFUSED', 'refused'],
  ['EHOSTUNREACH', 'network'],
  ['ENETUNREACH', 'network'],
  ['EADDRNOTAVAIL', 'network'],
  ['EMFILE', 'network'],
  ['ETIMEDOUT', 'timeout'],
  ['ECONNRESET', 'reset'],
  ['EPIPE', 'reset'],
  ['UND_ERR_SOCKET', 'reset'],
  ['CERT_HAS_EXPIRED', 'tls'],
  ['CERT_NOT_YET_VALID', 'tls'],
  ['CERT_REVOKED', 'tls'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'tls'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls'],
  ['EPROTO', 'tls'],
  ['UND_ERR_HEADERS_OVERFLOW', 'protocol'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'protocol'],
  ['UND_ERR_INVALID_ARG', 'protocol'],
  ['ERR_ASSERTION', 'protocol'],
  ['ESOMETHING', 'reset'],
])('%s is %s, and its code stays readable', (code, reason) => {
  expect(classify(failed(code))).toEqual({ kind: 'unreachable', reason, detail: expect.stringContaining(`(${code})`) });
});

test('what llhttp refuses breaks the protocol', () => {
  expect(classify(failed(undefined, 'Invalid header', 'HTTPParserError'))).toMatchObject({ reason: 'protocol' });
});

test('a failure known at its source is kept', () => {
  const failure = { kind: 'blocked', detail: 'x' } as const;
  expect(classify(new DeliveryFailure(failure))).toBe(failure);
});

test('a detail is one bounded line, whatever the other side put into it', () => {
  const { detail } = classify(failed('ERR_TLS_CERT_ALTNAME_INVALID', `Host:\r\n\u001b[31m${'x'.repeat(5_000)}`));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  expect(detail).not.toMatch(/[\u0000-\u001f]/);
  expect(detail.length).toBeLessThan(400);
});

test.each([
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number', '', 'what answers on this port does not speak TLS'],
  ['EPROTO', 'wrong version number', 'write EPROTO ', 'write EPROTO what answers on this port does not speak TLS'],
  ['ERR_SSL_BAD_LENGTH', 'bad length', '', 'bad length'],
])('of what OpenSSL says with %s, neither addresses in memory nor paths are told', (code, reason, before, expected) => {
  const said = `40339CDE477F0000:error:0A00010B:SSL routines:f:${reason}:../deps/openssl/openssl/ssl/a.c:78:\n`;
  expect(classify(failed(code, before + said))).toMatchObject({ reason: 'tls', detail: `${expected} (${code})` });
});

test('what is thrown and is no error is still a value', () => {
  for (const thrown of [undefined, null, 'text', {}]) expect(classify(thrown)).toMatchObject({ kind: 'unreachable' });
});

test('a cut-off body is a premature end, and broken chunking is not', () => {
  expect(isPrematureEnd(failed('UND_ERR_SOCKET', 'other side closed'))).toBe(true);
  expect(isPrematureEnd(failed('UND_ERR_RES_CONTENT_LENGTH_MISMATCH'))).toBe(true);
  expect(isPrematureEnd(failed(undefined, 'Response … (Invalid EOF state)', 'HTTPParserError'))).toBe(true);
  expect(isPrematureEnd(failed(undefined, 'Response … (Invalid character in chunk size)', 'HTTPParserError'))).toBe(
    false,
  );
});
