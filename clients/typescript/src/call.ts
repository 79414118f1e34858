import { checkNumber } from './check-number.ts';
import { arrived, type Failure, NoAnswerError } from './errors.ts';
import type { CallOptions } from './operation.ts';
import { mayHaveBeenDone, mayRetry, retryDelayMs } from './retry-policy.ts';
import { exchange, type HttpRequest, LONGEST_TIMER_MS, type Transport } from './transport.ts';

export interface Patience {
  /** Most tries of one request, the first included. */
  readonly maxAttempts: number;
  /** How long one try may take. */
  readonly timeoutMs: number;
  /** How long all tries may take together, unless the call says otherwise. */
  readonly deadlineMs: number;
}

export interface CallSettings extends Patience {
  /** Whether it does no harm that the request is acted on twice. */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal | undefined;
}

/** The settings of a call that begins now. @throws TypeError or RangeError for a deadline that is none */
export function settingsOf(patience: Patience, isRepeatable: boolean, options: CallOptions): CallSettings {
  const { signal, deadlineSeconds } = options;
  const deadlineMs = checkNumber('deadlineSeconds', deadlineSeconds, patience.deadlineMs / 1_000) * 1_000;
  return { ...patience, deadlineMs, isRepeatable, signal };
}

/**
 * Makes a request, again and again where that may help and does no harm, until the deadline.
 * @throws PosthornError, NoAnswerError, or what the signal was aborted with
 */
export async function call(transport: Transport, request: HttpRequest, settings: CallSettings): Promise<unknown> {
  const { signal, timeoutMs, maxAttempts, isRepeatable } = settings;
  const endMs = performance.now() + settings.deadlineMs;
  let failure: Failure = new NoAnswerError('The deadline has passed before the request.', false);
  let mayHaveArrived = false;
  for (let tries = 1; ; tries++) {
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) break;
    const answer = await exchange(transport, request, Math.min(timeoutMs, leftMs), signal);
    if (answer.ok) return answer.value;
    failure = answer.failure;
    mayHaveArrived ||= mayHaveBeenDone(failure);
    if (tries >= maxAttempts || !mayRetry(failure, isRepeatable)) break;
    const delayMs = retryDelayMs(tries, retryAfterOf(failure), Math.random());
    // To wait for a try that is never made would only make the answer late.
    if (performance.now() + delayMs >= endMs) break;
    await sleep(delayMs, signal);
  }
  throw mayHaveArrived ? arrived(failure) : failure;
}

function retryAfterOf(failure: Failure): number | null {
  return 'retryAfterMs' in failure ? failure.retryAfterMs : null;
}

/** @throws what the signal was aborted with */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
    signal?.addEventListener('abort', abort, { once: true });
  });
}
