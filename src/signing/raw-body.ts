import type { IncomingMessage } from 'node:http';

export type RawBody =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly reason: 'too_large' | 'already_read' | 'aborted' };

/**
 * The body of a request as it arrived: from the stream, or from the Buffer that a raw body parser left in `req.body`. Keeps at
 * most `maxBytes`; node:http drops the rest once the request is answered. Never rejects.
 */
export function readRawBody(req: IncomingMessage & { readonly body?: unknown }, maxBytes: number): Promise<RawBody> {
  if (req.body instanceof Uint8Array) return Promise.resolve(limitBytes(req.body, maxBytes));
  // An encoding set on the stream has replaced bytes that are not text: as lost as a body that was parsed.
  if (req.readableDidRead || req.readableEnded || req.readableEncoding !== null) {
    return Promise.resolve({ ok: false, reason: 'already_read' });
  }
  const tooLarge = Number(req.headers['content-length']) > maxBytes;
  return tooLarge ? Promise.resolve({ ok: false, reason: 'too_large' }) : collectBytes(req, maxBytes);
}

function limitBytes(body: Uint8Array, maxBytes: number): RawBody {
  if (body.length > maxBytes) return { ok: false, reason: 'too_large' };
  return { ok: true, bytes: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
}

function collectBytes(req: IncomingMessage, maxBytes: number): Promise<RawBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (body: RawBody) => {
      req.off('data', onData).off('end', onEnd).off('close', onAbort);
      resolve(body);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else settle({ ok: false, reason: 'too_large' });
    };
    const onEnd = () => settle({ ok: true, bytes: Buffer.concat(chunks, length) });
    const onAbort = () => settle({ ok: false, reason: 'aborted' });
    // `error` stays on: the connection may yet fail while the rest is dropped, and nobody else may be listening.
    req.on('data', onData).on('end', onEnd).on('close', onAbort).on('error', onAbort);
  });
}
