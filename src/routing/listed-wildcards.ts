import type { Condition } from './condition.ts';
import { WildcardCrowd } from './wildcard-crowd.ts';

export type WildcardCondition = Extract<Condition, { kind: 'wildcard' }>;

/** Of all paths of all tenants the crowd that was made last is kept: how much memory more would take, tenants would choose. */
let kept: { readonly of: object; readonly crowd: WildcardCrowd } | null = null;

/**
 * The wildcards that lists of conditions have at one path: those that are one of several conditions, and those that are excluded. The index
 * cannot find them by a text, so each of them reads all of the text, unless they read it together as a crowd.
 */
export class ListedWildcards {
  /** How much there is to be made into a crowd, at most: wildcards of several lists count for each. */
  units = 0;
  readonly #unitsByList = new Map<number, number>();
  readonly #read: (list: number) => Iterable<WildcardCondition>;
  /** Stands for this in `kept`, which would hold all of an index that is gone otherwise. */
  readonly #key = {};

  /** @param read the wildcards of a list */
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

  /** Null before it is made, and again once lists have changed or another was made. */
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
