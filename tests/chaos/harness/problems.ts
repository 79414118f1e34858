/** Counts what is wrong, by kind, and keeps the first few of each as evidence. */
export class Problems {
  readonly #kinds = new Map<string, { count: number; examples: string[] }>();

  add(kind: string, example: string): void {
    const known = this.#kinds.get(kind) ?? { count: 0, examples: [] };
    this.#kinds.set(kind, known);
    known.count++;
    if (known.examples.length < 3) known.examples.push(example);
  }

  /** Whether there is none of the kind. */
  count(kind: string): number {
    return this.#kinds.get(kind)?.count ?? 0;
  }

  /** `2 events were …: event 7; event 9`, or nothing. */
  describe(kind: string): string[] {
    const known = this.#kinds.get(kind);
    if (known === undefined) return [];
    const rest = known.count > known.examples.length ? '; …' : '';
    return [`${known.count} ${kind}: ${known.examples.join('; ')}${rest}`];
  }
}
