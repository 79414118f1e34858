import { type Query, requestPath } from '../logic/request-path.ts';

/** The API answers within seconds or refuses; what takes longer never came. */
const PATIENCE_MS = 30_000;

interface Fault {
  readonly path: string;
  readonly message: string;
}

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly Fault[];
  readonly request_id?: string;
}

/** A call that was refused, or got no answer (status 0). */
export class CallError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** Calls of the public API with one key. */
export class Api {
  readonly #key: string;
  // Relative, so that the console works behind a proxy that gives Posthorn a path of its own.
  readonly #base = new URL('../v1/', document.baseURI);

  constructor(key: string) {
    this.#key = key;
  }

  /** @throws CallError */
  async read<T>(path: readonly string[], options: CallOptions = {}): Promise<T> {
    return JSON.parse(await this.call('GET', path, options)) as T;
  }

  /** @returns the answer as it is written. @throws CallError; the reason of the signal once it is aborted. */
  async call(method: string, path: readonly string[], options: CallOptions = {}): Promise<string> {
    const { query, body, signal } = options;
    const url = new URL(requestPath(path, query), this.#base);
    const { response, text } = await ask(url, signal, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    });
    if (!response.ok) throw new CallError(problemOf(response, text));
    return text;
  }
}

/** @throws CallError without an answer in time; the reason of the signal once it is aborted */
async function ask(url: URL, signal: AbortSignal | undefined, init: RequestInit) {
  const inTime = AbortSignal.timeout(PATIENCE_MS);
  try {
    const response = await fetch(url, {
      ...init,
      signal: signal === undefined ? inTime : AbortSignal.any([signal, inTime]),
    });
    return { response, text: await response.text() };
  } catch (error) {
    signal?.throwIfAborted();
    throw noAnswer(
      init.method,
      inTime.aborted ? new Error(`It took more than ${PATIENCE_MS / 1_000} seconds.`) : error,
    );
  }
}

function noAnswer(method: string | undefined, error: unknown): CallError {
  const detail = error instanceof Error ? error.message : String(error);
  const code = method === 'GET' ? 'no_answer' : 'outcome_unknown';
  return new CallError({ status: 0, code, title: 'No answer', detail, errors: [] });
}

/** A proxy in between answers with something else than a problem document, or with one of its own. */
function problemOf({ status, headers }: Response, text: string): Problem {
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json');
  const { title, detail, code, errors, request_id } = (isProblem ? parsed(text) : null) ?? {
    detail: text.slice(0, 500),
  };
  return {
    status,
    code: textOf(code) ?? 'unknown',
    title: textOf(title) ?? `Answered with status ${status}`,
    detail: textOf(detail) ?? '',
    errors: Array.isArray(errors) ? errors.map(faultOf) : [],
    ...(typeof request_id === 'string' ? { request_id } : {}),
  };
}

function parsed(text: string): Partial<Record<keyof Problem, unknown>> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function faultOf(fault: unknown): Fault {
  const { path, message } = Object(fault) as Partial<Record<keyof Fault, unknown>>;
  return { path: textOf(path) ?? '', message: textOf(message) ?? '' };
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);
