import { tlsText } from '../domain/tls-text.ts';

/** What the client of Postgres says without a code where the server does not answer: where in the code that was tells nothing. */
const AWAY = /^(?:timeout expired|timeout exceeded when trying to connect|Connection terminated.*|Query read timeout)$/;

/** An error as far as a log may know it: drivers put connection strings and row values into other fields. */
export function faultOf(error: unknown): Record<string, unknown> {
  const { name, message, code, stack } = (error ?? {}) as {
    name?: string;
    message?: string;
    code?: string;
    stack?: string;
  };
  const isOurs = code === undefined && stack !== undefined && !AWAY.test(message ?? '');
  return {
    error: name ?? 'unknown',
    ...(code === undefined ? {} : { code }),
    message: redact(message ?? String(error)),
    ...(isOurs ? { stack: redact(stack) } : {}),
  };
}

/** What an error says may be what somebody sent; looking for secrets takes time that grows with the square of this. */
const MAX_LENGTH = 4_000;

/** What stands before the last @ of a URL goes, as passwords hold slashes and @ where nobody encoded them; and its query, which may hold a token. */
export function redact(text: string): string {
  return tlsText(shortened(text))
    .replace(/\b([a-z+]{1,20}:\/\/)[^\s"']*@/gi, '$1***@')
    .replace(/\b([a-z+]{1,20}:\/\/[^\s"'?]*)\?[^\s"']*/gi, '$1?***')
    .replace(/\b(wh[a-z]{2,3}_|ph[ko]_)[A-Za-z0-9+/=_-]+/g, '$1***');
}

/** Cut between two words: of a URL that was cut in its midst nobody would know that it has a password. */
function shortened(text: string): string {
  if (text.length <= MAX_LENGTH) return text;
  let end = MAX_LENGTH;
  while (end > 0 && !/\s/.test(text[end]!)) end--;
  return `${text.slice(0, end)}…`;
}
