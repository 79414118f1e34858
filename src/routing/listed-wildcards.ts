import type { Condition } from './condition.ts';
import { WildcardCrowd } from './wildcard-crowd.ts';

export type WildcardCondition = Extract<Condition, { kind: 'wildcard' }>;

/**
 * The crowd that was made last, of all paths of all tenants. Only this one is kept: otherwise tenants would choose how much memory crowds
 * take.
 */
let kept: { readonly of: object; readonly crowd: WildcardCrowd } | null = null;

/**
 * The wildcards that lists of conditions have at one path: those that are one of several conditions, and those that are excluded. The index
 * does not find such a wildcard by its literals. So each of them reads the whole text, unless they read it together as a crowd.
 */
export class ListedWildcards {
  /** How many units of wildcards a crowd of them is made of, at most: a wildcard in several lists counts once for each. */
  units = 0;
  readonly #unitsByList = new Map<number, number>();
  readonly #read: (list: number) => Iterable<WildcardCondition>;
  /** Stands for this object in `kept`: a reference to the object itself would keep the memory of an index that is gone. */
  readonly #key = {};

  /** @param read gives the wildcards of a list */
  constructor(read: (list: number) => Iterable<WildcardCondition>) {
    this.#read = read;
  }

  add(list: number, units: number): void {
    this.#unitsByList.set(list, units);
    this.units += units;
    this.#letGo();
  }

  delete(list: number): void {
    const units = this.#unitsByList.get(list);
    if (units === undefined) return;
    this.#unitsByList.delete(list);
    this.units -= units;
    this.#letGo();
  }

  /** Null before the crowd is made, and again once a list has changed or another crowd was made. */
  get crowd(): WildcardCrowd | null {
    return kept?.of === this.#key ? kept.crowd : null;
  }

  makeCrowd(): WildcardCrowd {
    const wildcards = new Map<string, WildcardCondition['wildcard']>();
    for (const list of this.#unitsByList.keys()) {
      for (const { text, wildcard } of this.#read(list)) wildcards.set(text, wildcard);
    }
    const crowd = new WildcardCrowd(wildcards);
    kept = { of: this.#key, crowd };
    return crowd;
  }

  #letGo(): void {
    if (kept?.of === this.#key) kept = null;
  }
}
