import type { Client } from 'undici';

type HeadersComplete = (this: unknown, status: number, upgrade: boolean, keepAlive: boolean) => number;
type ParserClass = { onHeadersComplete: HeadersComplete };

const CONTINUE = 100;
const PROCESSING = 102;
const taught = new WeakSet<ParserClass>();

/**
 * Lets a `100 Continue` that nobody asked for pass like every other 1xx, as RFC 9110, section 15.2, has it: undici destroys the connection,
 * and nothing that a handler can do comes before that. So its parser is told of a 102, which it hands on. All connections share one class
 * of parsers: it is taught with the first of them.
 * @param client connected over HTTP/1.1
 */
export function passUnaskedContinue(client: Client): void {
  const parser = memberOf(memberOf(client, 'socket'), 'parser');
  if (parser === null) return;
  const parserClass = Object.getPrototypeOf(parser) as ParserClass;
  if (taught.has(parserClass)) return;
  taught.add(parserClass);
  const { onHeadersComplete } = parserClass;
  parserClass.onHeadersComplete = function (status, upgrade, keepAlive) {
    return onHeadersComplete.call(this, status === CONTINUE ? PROCESSING : status, upgrade, keepAlive);
  };
}

/** @param symbol the description of one that undici keeps to itself */
function memberOf(owner: object | null, symbol: string): object | null {
  if (owner === null) return null;
  const key = Object.getOwnPropertySymbols(owner).find(({ description }) => description === symbol);
  return key === undefined ? null : ((owner as Record<symbol, object | null>)[key] ?? null);
}
