/** Why messages cannot be stored now: of each line that goes on by itself, and of the others together. */
export class Troubles {
  readonly #onTrouble: (error: unknown) => void;
  readonly #troubled = new Set<string | null>();

  /** @param onTrouble hears of each failure, and null once none is left */
  constructor(onTrouble: (error: unknown) => void) {
    this.#onTrouble = onTrouble;
  }

  /** @param group null: the others @param error null: they can be stored */
  set(group: string | null, error: unknown): void {
    if (error !== null) {
      this.#troubled.add(group);
      this.#onTrouble(error);
    } else if (this.#troubled.delete(group) && this.#troubled.size === 0) this.#onTrouble(null);
  }
}
