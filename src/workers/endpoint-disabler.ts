import type { AttemptIds } from '../observability/facts.ts';
import { type Desk, VERSION_UNKNOWN } from './desk.ts';

export interface EndpointDisablerOptions {
  /** @returns false if the endpoint was changed meanwhile, so that the reason no longer holds */
  readonly disableEndpoint: (endpointNum: number, reason: string, resets: number) => Promise<boolean>;
  /** Puts what waits at a desk back into the table. */
  readonly shelve: (desk: Desk) => void;
  readonly onFailure: (what: string, error: unknown, about?: Partial<AttemptIds>) => void;
}

interface Disabling {
  readonly resets: number;
  readonly isDisabled: Promise<boolean>;
}

/**
 * Takes endpoints out of service. A receiver that is gone says so to all that are under way: they wait for the one statement that the first
 * has sent.
 */
export class EndpointDisabler {
  readonly #options: EndpointDisablerOptions;
  readonly #underWay = new Map<Desk, Disabling>();

  constructor(options: EndpointDisablerOptions) {
    this.#options = options;
  }

  /** Never rejects. @returns false if the endpoint was changed meanwhile, so that the reason no longer holds */
  disable(desk: Desk, reason: string): Promise<boolean> {
    if (desk.target !== null) desk.target = { ...desk.target, enabled: false };
    this.#options.shelve(desk);
    const known = this.#underWay.get(desk);
    // Once it is done the table is asked anew: the endpoint may have been enabled since.
    if (known?.resets === desk.resets) return known.isDisabled;
    const disabling = { resets: desk.resets, isDisabled: this.#ask(desk, reason) };
    this.#underWay.set(desk, disabling);
    void disabling.isDisabled.then(() => {
      if (this.#underWay.get(desk) === disabling) this.#underWay.delete(desk);
    });
    return disabling.isDisabled;
  }

  #ask(desk: Desk, reason: string): Promise<boolean> {
    const { disableEndpoint, onFailure } = this.#options;
    // Where it is still enabled for everyone else, it is so here too: the next answer of its receiver may disable it again.
    const goOn = () => {
      desk.version = VERSION_UNKNOWN;
    };
    return disableEndpoint(desk.num, reason, desk.resets).then(
      (isDisabled) => {
        if (!isDisabled) goOn();
        return isDisabled;
      },
      (error: unknown) => {
        onFailure('disabling of an endpoint', error, desk.ids);
        goOn();
        return true;
      },
    );
  }
}
