import { type Query, requestPath } from '../logic/request-path.ts';

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
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
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw noAnswer(error);
    });
    const text = await response.text();
    if (!response.ok) throw new CallError(problemOf(response, text));
    return text;
  }
}

function noAnswer(error: unknown): CallError {
  const detail = error instanceof Error ? error.message : String(error);
  return new CallError({ status: 0, code: 'no_answer', title: 'No answer', detail });
}

/** A proxy in between answers with something else than a problem document. */
function problemOf({ status, headers }: Response, text: string): Problem {
  if (headers.get('content-type')?.startsWith('application/problem+json')) return JSON.parse(text) as Problem;
  return { status, code: 'unknown', title: `Answered with status ${status}`, detail: text.slice(0, 500) };
}
