import type { HandshakeVerdict } from '../delivery/handshake.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import type { ClaimedValidation, ValidationResult } from '../store/endpoint-validations.ts';
import type { LoadedTarget } from '../store/targets.ts';

export interface ValidatorOptions {
  /** Takes endpoints that are due, at most `limit`; `asking` are the tenants of the questions under way, each as often as it has one. */
  readonly claim: (limit: number, asking: readonly number[]) => Promise<readonly ClaimedValidation[]>;
  readonly targets: (nums: readonly number[]) => Promise<Map<number, LoadedTarget>>;
  /** Makes the request; null when it was given up because the process ends. */
  readonly ask: (target: DeliveryTarget) => Promise<HandshakeVerdict | null>;
  readonly record: (claimed: ClaimedValidation, result: ValidationResult) => Promise<boolean>;
  /** The name that deliveries are sent under. */
  readonly origin: string;
  /** A result that counts. */
  readonly onResult: (target: DeliveryTarget, result: ValidationResult) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Questions under way at once. */
const PLACES = 64;
/** How often new questions are looked for while others are under way. */
const LOOK_MS = 1_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
/** Before each question after the first; the last one for ever. */
const DELAYS_MS = [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS];
/** With the delays about five days. */
const MAX_TRIES = 125;

/** Asks the receivers of endpoints that want it whether they agree to deliveries. Every worker has one: who asks is settled in Postgres. */
export class Validator {
  readonly #options: ValidatorOptions;
  readonly #asking = new Set<ClaimedValidation>();
  /** Called when a question has ended. */
  #onEnd: () => void = () => {};

  constructor(options: ValidatorOptions) {
    this.#options = options;
  }

  /**
   * Asks those that are due until none is left and none is under way: a place that falls free is taken by the next, and no question waits for another's answer.
   * @param signal ends it with the questions under way
   */
  async runOnce(signal?: AbortSignal): Promise<void> {
    for (;;) {
      const { promise: change, resolve } = Promise.withResolvers<void>();
      this.#onEnd = resolve;
      if (signal?.aborted !== true) await this.#fill();
      if (this.#asking.size === 0) return;
      const timer = setTimeout(resolve, LOOK_MS);
      await change;
      clearTimeout(timer);
    }
  }

  /** Begins as many questions as there are places. */
  async #fill(): Promise<void> {
    const free = PLACES - this.#asking.size;
    if (free === 0) return;
    const { claim, targets, onFailure } = this.#options;
    const claimed = await claim(
      free,
      [...this.#asking].map(({ tenantNum }) => tenantNum),
    );
    if (claimed.length === 0) return;
    const loaded = await targets(claimed.map(({ endpointNum }) => endpointNum));
    for (const each of claimed) {
      this.#asking.add(each);
      void this.#validate(each, loaded.get(each.endpointNum))
        .catch(onFailure)
        .finally(() => {
          this.#asking.delete(each);
          this.#onEnd();
        });
    }
  }

  async #validate(claimed: ClaimedValidation, loaded: LoadedTarget | undefined): Promise<void> {
    // What cannot be read now is asked when its lease is over.
    if (loaded?.kind !== 'target') return;
    const { ask, record, origin, onResult } = this.#options;
    const verdict = await ask(loaded.target);
    if (verdict === null) return;
    const result = resultOf(verdict, claimed.tries, origin);
    if (await record(claimed, result)) onResult(loaded.target, result);
  }
}

/** What follows from a verdict. @param tries questions so far, this one included */
export function resultOf(verdict: HandshakeVerdict, tries: number, origin: string): ValidationResult {
  switch (verdict.kind) {
    case 'allowed':
      return { kind: 'validated', origin, allowedPerMinute: verdict.allowedPerMinute };
    case 'refused':
      return verdict;
    case 'unknown': {
      const { detail } = verdict;
      if (tries >= MAX_TRIES)
        return { kind: 'refused', detail: `no answer to ${tries} requests; the last one: ${detail}` };
      return { kind: 'postponed', detail, delayMs: DELAYS_MS[Math.min(tries, DELAYS_MS.length) - 1]! };
    }
  }
}
