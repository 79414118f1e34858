/** One request as the sink sees it. */
export interface SinkRequest {
  /** The path without its slash: endpoints are called by their number. */
  readonly endpoint: number;
  readonly webhookId: string;
  /** The head as it came, without the empty line that ends it. */
  readonly head: string;
  readonly body: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * Cuts the bytes of one connection into requests, as cheaply as it can be done: the sink shares the machine with what is measured. It knows
 * what undici sends: HTTP/1.1 with `content-length`. @returns what takes the next bytes and calls back for each request that is complete.
 * @throws Error for anything else.
 */
export function requestCutter(onRequest: (request: SinkRequest) => void): (chunk: Buffer) => void {
  let rest: Buffer | null = null;
  return (chunk) => {
    const bytes: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const headEnd = bytes.indexOf(HEAD_END, at);
      if (headEnd < 0) break;
      const head = bytes.toString('latin1', at, headEnd);
      const bodyStart = headEnd + HEAD_END.length;
      const bodyEnd = bodyStart + lengthOf(head);
      if (bodyEnd > bytes.length) break;
      at = bodyEnd;
      onRequest({
        endpoint: Number(head.slice(head.indexOf('/') + 1, head.indexOf(' HTTP/'))),
        webhookId: headerValue(head, 'webhook-id') ?? '',
        head,
        body: bytes.subarray(bodyStart, bodyEnd),
      });
    }
    rest = at === bytes.length ? null : bytes.subarray(at);
  };
}

/** The value of a header; its name in lower case, as undici sends ours. Null when there is none. */
export function headerValue(head: string, name: string): string | null {
  const at = head.indexOf(`\r\n${name}:`);
  if (at < 0) return null;
  const start = at + name.length + 3;
  const end = head.indexOf('\r\n', start);
  return head.slice(start, end < 0 ? head.length : end).trim();
}

function lengthOf(head: string): number {
  const text = headerValue(head, 'content-length');
  if (text === null || !/^\d+$/.test(text)) throw new Error(`a request without content-length: ${head.slice(0, 200)}`);
  return Number(text);
}
