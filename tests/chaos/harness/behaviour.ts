/**
 * How a receiver treats the requests of one endpoint, as a value that can be sent to its process. `hold` keeps requests unanswered until
 * they are released; `answer-and-kill` ends a process in the same turn as it answers.
 */
export type Behaviour =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly afterMs?: number;
      readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    }
  | { readonly kind: 'hold' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'misbehave'; readonly how: Misbehaviour }
  | { readonly kind: 'answer-and-kill'; readonly status: number; readonly pid: number }
  /** `these` for so many requests of the endpoint, or attempts of each delivery, and `rest` for those after. */
  | {
      readonly kind: 'first';
      readonly times: number;
      readonly of: 'endpoint' | 'delivery';
      readonly these: Behaviour;
      readonly rest: Behaviour;
    }
  /** `these` for a share (0 to 1) of the requests, at random. */
  | { readonly kind: 'some'; readonly share: number; readonly these: Behaviour; readonly others: Behaviour };

export type Misbehaviour =
  | 'drip-headers'
  | 'drip-body'
  | 'endless-body'
  | 'huge-headers'
  | 'many-headers'
  | 'bad-chunking'
  | 'two-lengths'
  | 'informational-flood'
  | 'gzip-bomb';

export const ok: Behaviour = { kind: 'answer', status: 204 };

export function answer(status: number, more: { afterMs?: number; headers?: Record<string, string> } = {}): Behaviour {
  return { kind: 'answer', status, ...more };
}

export function some(share: number, these: Behaviour, others: Behaviour = ok): Behaviour {
  return { kind: 'some', share, these, others };
}
