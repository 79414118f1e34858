import type { Problem } from './api.ts';
import { type Failure, NoAnswerError, PosthornError } from './errors.ts';
import { parseRetryAfter } from './retry-policy.ts';

export interface HttpRequest {
  readonly method: string;
  /** Below the address of the server, with the query. */
  readonly path: string;
  /** JSON. */
  readonly body?: string | undefined;
}

export interface Transport {
  /** Of the server, without a slash at its end. */
  readonly url: string;
  readonly key: string;
  readonly fetch: typeof globalThis.fetch;
}

export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly failure: Failure };

/** Codes of errors before a request was written: it cannot have arrived. */
const BEFORE_ARRIVAL: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * One try, which takes no longer than it may.
 * @throws what `signal` was aborted with
 */
export async function exchange(
  transport: Transport,
  request: HttpRequest,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  signal?.throwIfAborted();
  const ended = new AbortController();
  const abort = () => ended.abort();
  const timer = setTimeout(abort, timeoutMs);
  signal?.addEventListener('abort', abort);
  try {
    const response = await transport.fetch(`${transport.url}${request.path}`, initOf(transport, request, ended.signal));
    return read(response, await response.text());
  } catch (error) {
    signal?.throwIfAborted();
    return { ok: false, failure: failureOf(error, ended.signal.aborted ? timeoutMs : null) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function initOf({ key }: Transport, { method, body }: HttpRequest, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { authorization: `Bearer ${key}`, accept: 'application/json, */*;q=0.1' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  // A redirect would make a GET of a POST, and is none of the API's.
  return { method, headers, signal, redirect: 'manual', ...(body !== undefined && { body }) };
}

function read(response: Response, text: string): Answer {
  if (!response.ok) return { ok: false, failure: problemOf(response, text) };
  if (response.status === 204) return { ok: true, value: undefined };
  if (!isJson(response)) return { ok: true, value: text };
  const parsed = parse(text);
  if (parsed === undefined) return { ok: false, failure: new NoAnswerError('The answer is not JSON.', true) };
  return { ok: true, value: parsed };
}

function problemOf(response: Response, text: string): PosthornError {
  const { status, headers } = response;
  const problem = headers.get('content-type')?.startsWith('application/problem+json') ? parse(text) : undefined;
  const { code, title, detail, errors, request_id } = (problem ?? {}) as Partial<Problem>;
  const retryAfterMs = parseRetryAfter(headers.get('retry-after'), Date.now()) ?? undefined;
  const requestId = request_id ?? headers.get('x-request-id') ?? undefined;
  return new PosthornError({ status, code, title, detail, errors, requestId, retryAfterMs });
}

function failureOf(error: unknown, timeoutMs: number | null): NoAnswerError {
  if (timeoutMs !== null) return new NoAnswerError(`No answer came within ${Math.ceil(timeoutMs)} ms.`, true);
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  const message = `No answer came: ${cause?.message || cause?.code || (error as Error).message}.`;
  return new NoAnswerError(message, !BEFORE_ARRIVAL.has(cause?.code), error);
}

function isJson({ headers }: Response): boolean {
  return /^application\/([\w.-]+\+)?json\b/.test(headers.get('content-type') ?? '');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
