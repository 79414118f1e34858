import type { ProblemCode } from './api.ts';

/** A field that is at fault. `path` is dotted (`subscriptions.0.types`), empty for the whole. */
export interface Fault {
  readonly path: string;
  readonly message: string;
  /** Of an event in a batch: why it is refused. */
  readonly code?: ProblemCode | (string & {}) | undefined;
}

interface PosthornErrorFields {
  readonly status: number;
  readonly code?: string | undefined;
  readonly title?: string | undefined;
  readonly detail?: string | undefined;
  readonly errors?: readonly Fault[] | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** An answer that refuses: by a problem document (RFC 9457), or without one where something between answered, such as a proxy. */
export class PosthornError extends Error {
  readonly status: number;
  /** What programs go by. Later servers may know more codes; null without a problem document. */
  readonly code: ProblemCode | (string & {}) | null;
  readonly title: string;
  readonly detail: string;
  /** Where fields are at fault: every fault. */
  readonly errors: readonly Fault[];
  /** The operator finds it in the log. */
  readonly requestId: string | null;
  /** Ms that the server asks to wait before the next try; null where it does not say. */
  readonly retryAfterMs: number | null;
  /** Whether the request may have been acted on all the same: in this try, or in an earlier one, of which nobody knows what became. */
  readonly mayHaveArrived: boolean = false;

  constructor(fields: PosthornErrorFields) {
    const { status, code, title = '', detail = '', errors = [], requestId, retryAfterMs } = fields;
    super([`${status} ${code ?? 'without a problem document'}`, detail || title].filter(Boolean).join(': '));
    this.name = 'PosthornError';
    this.status = status;
    this.code = code ?? null;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.requestId = requestId ?? null;
    this.retryAfterMs = retryAfterMs ?? null;
  }
}

/** No answer came, or none that could be read: the connection failed or was cut, or time was up. `cause` says why. */
export class NoAnswerError extends Error {
  /** Whether the request may have been acted on, in any of its tries. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, mayHaveArrived: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = 'NoAnswerError';
    this.mayHaveArrived = mayHaveArrived;
  }
}

export type Failure = PosthornError | NoAnswerError;

/** The same failure, of a request that may have been acted on. */
export function arrived(failure: Failure): Failure {
  return Object.assign(failure, { mayHaveArrived: true });
}
