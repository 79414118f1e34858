import type { Cast } from '../event-types/cast.ts';
import { CastBook } from '../event-types/cast-book.ts';
import type { StoredCasts } from '../store/casts.ts';
import type { LoadedTarget, PinnedTypes } from '../store/targets.ts';
import { CastsMade } from './casts-made.ts';

interface Entry {
  readonly version: bigint;
  readonly book: CastBook;
}

const MAX_TENANTS = 1_000;

/**
 * What tenants' versions say of casts, in memory. An endpoint's settings carry the version that they were read with, and a change of event
 * types makes them be read anew, so that what is cast is never cast by less than was known when its event was accepted.
 */
export class CastBooks {
  readonly #load: (tenantNum: number) => Promise<StoredCasts>;
  readonly #entries = new Map<number, Promise<Entry>>();
  readonly #made = new CastsMade();

  constructor(load: (tenantNum: number) => Promise<StoredCasts>) {
    this.#load = load;
  }

  /** Tells those endpoints that pin versions how to cast. */
  async equip(targets: Map<number, LoadedTarget>): Promise<Map<number, LoadedTarget>> {
    for (const [num, loaded] of targets) {
      if (loaded.kind === 'unusable' || loaded.pinned === undefined) continue;
      const { pins } = loaded.pinned;
      const { tenantNum } = loaded.target;
      const book = await this.#bookOf(tenantNum, loaded.pinned);
      targets.set(num, { ...loaded, cast: this.#made.castFor(tenantNum, pins, book) });
    }
    return targets;
  }

  async #bookOf(tenantNum: number, { typesVersion }: PinnedTypes): Promise<CastBook> {
    const known = await this.#entries.get(tenantNum);
    if (known !== undefined && known.version >= typesVersion) return known.book;
    const reading = this.#read(tenantNum);
    this.#entries.delete(tenantNum);
    this.#entries.set(tenantNum, reading);
    reading.catch(() => this.#entries.get(tenantNum) === reading && this.#entries.delete(tenantNum));
    if (this.#entries.size > MAX_TENANTS) this.#entries.delete(this.#entries.keys().next().value!);
    return (await reading).book;
  }

  async #read(tenantNum: number): Promise<Entry> {
    const { version, versions } = await this.#load(tenantNum);
    const read = versions.map(({ casts, ...each }) => ({
      ...each,
      cast: casts === null ? null : (JSON.parse(casts) as Cast),
    }));
    return { version, book: new CastBook(read) };
  }
}
