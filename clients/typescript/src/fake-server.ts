import type { HttpRequest } from './transport.ts';

/** One request as the server of a test sees it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: HttpRequest['body'];
  readonly atMs: number;
}

export type Answering = (request: SeenRequest, index: number) => Response | Promise<Response>;

/** A `fetch` for tests, which answers by itself and keeps what it was asked. It hears when a request is aborted. */
export function fakeServer(answering: Answering) {
  const requests: SeenRequest[] = [];
  const fetch: typeof globalThis.fetch = (input, init = {}) => {
    const { method = 'GET', headers, body, signal } = init;
    const seen = { method, url: String(input), headers: new Headers(headers), body: body as string, atMs: Date.now() };
    requests.push(seen);
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
      Promise.resolve(answering(seen, requests.length - 1)).then(resolve, reject);
    });
  };
  return { fetch, requests };
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
}

export function problem(status: number, code: string, more: { retryAfter?: string; errors?: unknown } = {}): Response {
  const { retryAfter, errors } = more;
  const body = { type: `urn:${code}`, title: 'Title', status, detail: 'Detail.', code, request_id: 'req_1', errors };
  const headers = { 'content-type': 'application/problem+json', ...(retryAfter && { 'retry-after': retryAfter }) };
  return json(status, body, headers);
}

/** What the API answers to events that it has not had. */
export function accepts(request: SeenRequest): Response {
  const body = JSON.parse(request.body!) as { id?: string } | { id?: string }[];
  const item = ({ id = 'evt_made' }: { id?: string }) => ({ id, status: 'accepted', deliveries: 1 });
  if (!Array.isArray(body)) return json(202, item(body));
  return json(202, { accepted: body.length, duplicates: 0, items: body.map(item) });
}
