import type { ProblemCode } from './problem-codes.ts';

/** One fault in an input: `path` is dotted (`items.3.data`), empty for the whole. */
export interface Fault {
  readonly path: string;
  readonly message: string;
  /** Of an event in a batch: why it is refused. */
  readonly code?: ProblemCode;
}

/** An expected refusal, answered to the caller as RFC 9457 problem details. Anything else thrown is a bug or lost infrastructure. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: ProblemCode;
  readonly faults: readonly Fault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    code: ProblemCode,
    detail: string,
    options: { faults?: readonly Fault[]; retryAfterSeconds?: number } = {},
  ) {
    super(detail);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.faults = options.faults ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
