import type { UnreachableReason } from '../domain/outcome.ts';
import { tlsText } from '../domain/tls-text.ts';

/** Why an attempt got no answer: the part of an `Outcome` that is not timing. `detail` is one line for people. */
export type Failure =
  | {
      readonly kind: 'unreachable';
      readonly reason: UnreachableReason;
      readonly detail: string;
      readonly ours?: 'proxy';
    }
  | { readonly kind: 'blocked'; readonly detail: string };

/** A failure known at its source, on its way through undici, which wants an Error. */
export class DeliveryFailure extends Error {
  /** undici looks at `code`: one of its own would make it try again by itself. */
  readonly code = 'POSTHORN_FAILURE';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.detail);
    this.name = 'DeliveryFailure';
    this.failure = failure;
  }
}

export function unreachable(reason: UnreachableReason, detail: string): Failure {
  return { kind: 'unreachable', reason, detail };
}

/** A fault of the egress proxy itself: no receiver is to blame for it. */
export function ours(detail: string): Failure {
  return { kind: 'unreachable', reason: 'network', detail: `egress proxy: ${detail}`, ours: 'proxy' };
}

/** Maps what node, OpenSSL, llhttp or undici threw while connecting or exchanging. The code ends the detail, so that each cause stays distinct. */
export function classify(error: unknown): Failure {
  if (error instanceof DeliveryFailure) return error.failure;
  const { name = '', code = '', message = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const known = KNOWN.get(code);
  if (known !== undefined) return unreachable(known[0], `${known[1]} (${code})`);
  if (code === 'UND_ERR_SOCKET') return classifySocketError(message);
  if (isTlsCode(code)) return unreachable('tls', `${oneLine(tlsText(message)) || 'TLS failed'} (${code})`);
  if (name === PARSER_ERROR) return unreachable('protocol', `${oneLine(message)} (${name})`);
  if (code.startsWith('UND_ERR_'))
    return unreachable('protocol', `request could not be made: ${oneLine(message)} (${code})`);
  return unreachable('reset', `connection failed (${code || 'unknown error'})`);
}

/** Whether a response whose head had come ended before its time, rather than breaking the rules of HTTP. */
export function isPrematureEnd(error: Error): boolean {
  if (error.name === PARSER_ERROR) return error.message.includes('Invalid EOF state');
  if ((error as NodeJS.ErrnoException).code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return true;
  const failure = classify(error);
  return failure.kind === 'unreachable' && failure.reason !== 'protocol';
}

/** llhttp's, through undici, whose `code` is not set although documented. */
const PARSER_ERROR = 'HTTPParserError';

const KNOWN = new Map<string, readonly [UnreachableReason, string]>([
  ['ECONNREFUSED', ['refused', 'connection refused']],
  ['EHOSTUNREACH', ['network', 'no route to the host']],
  ['ENETUNREACH', ['network', 'no route to the network']],
  ['EHOSTDOWN', ['network', 'host is down']],
  ['ENETDOWN', ['network', 'network is down']],
  ['EADDRNOTAVAIL', ['network', 'no local address or port is free for a connection']],
  ['EMFILE', ['network', 'no socket is free on this host']],
  ['ENFILE', ['network', 'no socket is free on this host']],
  ['EACCES', ['network', 'connection is not permitted on this host']],
  ['EPERM', ['network', 'connection is not permitted on this host']],
  ['ETIMEDOUT', ['timeout', 'connection timed out']],
  ['ECONNRESET', ['reset', 'connection was reset']],
  ['ECONNABORTED', ['reset', 'connection was reset']],
  ['EPIPE', ['reset', 'connection was closed while the request was being sent']],
  ['ERR_ASSERTION', ['protocol', 'response breaks the rules of HTTP']],
  ['UND_ERR_HEADERS_OVERFLOW', ['protocol', 'response headers are too large']],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', ['protocol', 'response body is not as long as its Content-Length']],
]);

function classifySocketError(message: string): Failure {
  if (message === 'bad upgrade')
    return unreachable('protocol', 'response switches protocols, which was not asked for (UND_ERR_SOCKET)');
  if (message === 'bad response') return unreachable('protocol', 'response was not expected (UND_ERR_SOCKET)');
  return unreachable('reset', 'connection was closed before a response (UND_ERR_SOCKET)');
}

/** Codes of certificate verification have no common prefix: they are OpenSSL's X509_V_ERR_* names. */
function isTlsCode(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)$|HOSTNAME_MISMATCH$|PATH_LENGTH_EXCEEDED$|EPROTO$|ERROR_IN_CERT)/.test(
    code,
  );
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 300);
}
