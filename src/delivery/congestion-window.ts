/**
 * How many requests an endpoint takes at once, learnt from its answers: one that says "too much" halves it, one that is well received
 * widens it by a share (additive increase, multiplicative decrease, as TCP does), up to the endpoint's cap. The answers to requests that
 * were under way together are one piece of news, not many.
 */
export class CongestionWindow {
  /** Null: as wide as the cap. */
  #width: number | null = null;
  #ticket = 0;
  #cutAt = -1;

  allowance(cap: number): number {
    return this.#width === null ? cap : Math.max(1, Math.min(cap, Math.floor(this.#width)));
  }

  /** @returns what tells this request from those that began before. */
  begin(): number {
    return ++this.#ticket;
  }

  /** @param ticket of the request whose answer was "too much" */
  cut(ticket: number, cap: number): void {
    if (ticket <= this.#cutAt) return;
    this.#width = Math.max(1, this.allowance(cap) / 2);
    this.#cutAt = this.#ticket;
  }

  widen(cap: number): void {
    if (this.#width === null) return;
    this.#width += 1 / this.#width;
    if (this.#width >= cap) this.#width = null;
  }
}
