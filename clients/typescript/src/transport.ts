import type { Problem } from './api.ts';
import { type Failure, type Fault, NoAnswerError, PosthornError } from './errors.ts';
import { parseRetryAfter } from './retry-policy.ts';

export interface HttpRequest {
  readonly method: string;
  /** Below the address of the server, with the query. */
  readonly path: string;
  /** JSON. */
  readonly body?: string | undefined;
  /** Whether the answer is text. JSON otherwise. */
  readonly wantsText?: boolean | undefined;
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
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** These come before a request or in the midst of one: it depends on what the system was asked for. */
const CONNECTING: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo']);
const WHILE_CONNECTING: ReadonlySet<unknown> = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

/** A longer timer would end at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * One try, which takes no longer than it may, whatever `fetch` makes of its signal.
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
  const timer = setTimeout(abort, Math.min(timeoutMs, LONGEST_TIMER_MS));
  signal?.addEventListener('abort', abort);
  try {
    return await Promise.race([fetchAnswer(transport, request, ended.signal), rejectOnAbort(ended.signal)]);
  } catch (error) {
    signal?.throwIfAborted();
    return { ok: false, failure: failureOf(error, ended.signal.aborted ? timeoutMs : null) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

async function fetchAnswer(transport: Transport, request: HttpRequest, signal: AbortSignal): Promise<Answer> {
  // Called by itself: as a method it would get the transport, and the key with it, as its `this`.
  const { fetch, url } = transport;
  const response = await fetch(`${url}${request.path}`, initOf(transport, request, signal));
  return read(response, await response.text(), request.wantsText ?? false);
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

function initOf({ key }: Transport, { method, body }: HttpRequest, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { authorization: `Bearer ${key}`, accept: 'application/json, */*;q=0.1' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  // A redirect would make a GET of a POST, and is none of the API's.
  return { method, headers, signal, redirect: 'manual', ...(body !== undefined && { body }) };
}

function read(response: Response, text: string, wantsText: boolean): Answer {
  if (!response.ok) return { ok: false, failure: problemOf(response, text) };
  if (response.status === 204) return { ok: true, value: undefined };
  if (wantsText) return { ok: true, value: text };
  const parsed = isJson(response) ? parse(text) : undefined;
  if (parsed === undefined) return { ok: false, failure: new NoAnswerError('The answer is not JSON.', true) };
  return { ok: true, value: parsed };
}

function problemOf(response: Response, text: string): PosthornError {
  const { status, headers } = response;
  const isProblem = headers.get('content-type')?.toLowerCase().startsWith('application/problem+json');
  const { code, title, detail, errors, request_id } = Object(isProblem ? parse(text) : null) as Members;
  return new PosthornError({
    status,
    code: textOf(code),
    title: textOf(title),
    detail: textOf(detail),
    errors: Array.isArray(errors) ? errors.filter(isFault) : [],
    requestId: textOf(request_id) ?? headers.get('x-request-id') ?? undefined,
    retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()) ?? undefined,
  });
}

/** A gateway in between writes problem documents too, with members of its own making (RFC 9457 §3.2). */
type Members = Partial<Record<keyof Problem, unknown>>;

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);

function isFault(value: unknown): value is Fault {
  const { path, message, code } = Object(value) as Partial<Record<keyof Fault, unknown>>;
  return typeof path === 'string' && typeof message === 'string' && (code === undefined || typeof code === 'string');
}

function failureOf(error: unknown, timeoutMs: number | null): NoAnswerError {
  if (timeoutMs !== null) return new NoAnswerError(`No answer came within ${Math.ceil(timeoutMs)} ms.`, true);
  const { cause, message } = (error ?? {}) as { cause?: Cause | null; message?: string };
  const why = cause?.message || cause?.code || message || String(error);
  return new NoAnswerError(`No answer came: ${why}.`, !isBeforeArrival(cause), error);
}

interface Cause {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly syscall?: unknown;
  /** Of each address that was tried. */
  readonly errors?: readonly Cause[];
}

function isBeforeArrival(cause: Cause | null | undefined): boolean {
  if (BEFORE_ARRIVAL.has(cause?.code)) return true;
  if (!WHILE_CONNECTING.has(cause?.code)) return false;
  return Array.isArray(cause?.errors) ? cause.errors.every(isBeforeArrival) : CONNECTING.has(cause?.syscall);
}

function isJson({ headers }: Response): boolean {
  return /^application\/([\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
