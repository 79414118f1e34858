import type { VersionPin } from '../domain/event-type.ts';
import { matchesType } from '../routing/type-pattern.ts';
import type { Cast } from './cast.ts';
import { type CastCost, type CastPlan, castData, castPlan } from './cast-data.ts';
import { compareVersions, parseVersion, type TypeVersion, versionText } from './type-version.ts';

/** A registered version, and how it goes back to an older major; null: it does not. */
export interface BookVersion extends TypeVersion {
  readonly type: string;
  readonly cast: Cast | null;
}

interface Entry {
  readonly version: TypeVersion;
  readonly cast: Cast | null;
}

/** The way from one version to another. */
export interface CastRoute {
  /** The version that it leads to, as it is written in the delivered event. */
  readonly version: string;
  readonly plans: readonly CastPlan[];
}

/**
 * The casts of a tenant's versions. A book does not change, and what a version says of casts never does: a later book only has more
 * versions.
 */
export class CastBook {
  readonly #types = new Map<string, Entry[]>();
  readonly #routes = new Map<string, CastRoute | null>();

  constructor(versions: Iterable<BookVersion>) {
    for (const { type, cast, major, minor, patch } of versions) {
      const entries = this.#types.get(type) ?? [];
      entries.push({ version: { major, minor, patch }, cast });
      this.#types.set(type, entries);
    }
    for (const entries of this.#types.values()) entries.sort((a, b) => compareVersions(a.version, b.version));
  }

  /**
   * How an event is cast to the major version that an endpoint pins. Null when it stays as it is: it is of that major already, its version
   * is not registered, or no casts lead there.
   */
  routeTo(pins: readonly VersionPin[], type: string, version: string): CastRoute | null {
    const pin = pins.find(({ pattern }) => matchesType(pattern, type));
    if (pin === undefined) return null;
    const key = `${pin.major} ${version} ${type}`;
    let route = this.#routes.get(key);
    if (route === undefined) {
      route = this.#find(this.#types.get(type) ?? [], version, pin.major);
      if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
      this.#routes.set(key, route);
    }
    return route;
  }

  #find(entries: readonly Entry[], text: string, major: number): CastRoute | null {
    const version = parseVersion(text);
    const start = entries.find((each) => version !== null && compareVersions(each.version, version) === 0);
    if (start === undefined || start.version.major === major) return null;
    return start.version.major > major ? down(entries, start, major) : up(entries, start, major);
  }
}

const MAX_ROUTES = 10_000;

function down(entries: readonly Entry[], start: Entry, major: number): CastRoute | null {
  const plans: CastPlan[] = [];
  let at = start;
  while (at.version.major > major) {
    const { cast } = at;
    const next = cast === null ? undefined : entries.find((each) => versionText(each.version) === cast.from);
    if (cast === null || next === undefined || next.version.major >= at.version.major) return null;
    plans.push(castPlan(cast, 'down'));
    at = next;
  }
  return at.version.major === major ? { version: versionText(at.version), plans } : null;
}

/** At each step the oldest version that says how to come from the major counts: what is registered later changes nothing. */
function up(entries: readonly Entry[], start: Entry, major: number): CastRoute | null {
  const plans: CastPlan[] = [];
  let at = start;
  while (at.version.major < major) {
    const from = at.version.major;
    const next = entries.find(
      ({ version, cast }) =>
        version.major > from && version.major <= major && cast !== null && parseVersion(cast.from)?.major === from,
    );
    if (next === undefined) return null;
    plans.push(castPlan(next.cast!, 'up'));
    at = next;
  }
  return { version: versionText(at.version), plans };
}

/** The data of an event, cast step by step. */
export function castAlong(dataText: string, { plans }: CastRoute, cost?: CastCost): string {
  return castData(dataText, plans, cost);
}
