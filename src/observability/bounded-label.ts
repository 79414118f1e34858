/** Values of one label that are told apart at the most. */
const MOST = 64;

/** Keeps the values of a label few, wherever they come from: what is one too many is `other`. */
export class BoundedLabel {
  readonly #known = new Set<string>();

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= MOST) return 'other';
    this.#known.add(value);
    return value;
  }
}
