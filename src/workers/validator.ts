import type { HandshakeVerdict } from '../delivery/handshake.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import type { ClaimedValidation, ValidationResult } from '../store/endpoint-validations.ts';
import type { LoadedTarget } from '../store/targets.ts';

export interface ValidatorOptions {
  /** Takes endpoints that are due, at most `limit`. */
  readonly claim: (limit: number) => Promise<readonly ClaimedValidation[]>;
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

const BATCH = 32;
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

  constructor(options: ValidatorOptions) {
    this.#options = options;
  }

  /** Asks those that are due, one batch of them. */
  async runOnce(): Promise<void> {
    const claimed = await this.#options.claim(BATCH);
    if (claimed.length === 0) return;
    const targets = await this.#options.targets(claimed.map(({ endpointNum }) => endpointNum));
    await Promise.all(
      claimed.map((each) => this.#validate(each, targets.get(each.endpointNum)).catch(this.#options.onFailure)),
    );
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
