/** What follows a place: by the next part of a path. */
interface Place {
  isPath: boolean;
  readonly after: Map<string, Place>;
}

/** Dotted paths, kept part by part: a path is looked up in time linear in its length, however many there are. */
export class PathSet {
  readonly #root: Place = { isPath: false, after: new Map() };
  #isEmpty = true;

  constructor(paths: Iterable<string>) {
    for (const path of paths) this.#add(path);
  }

  /** Whether a path is one of these, or inside of one, or one is inside of it. The empty path holds all others. */
  touches(path: string): boolean {
    if (this.#isEmpty) return false;
    let place = this.#root;
    for (const part of partsOf(path)) {
      if (place.isPath) return true;
      const next = place.after.get(part);
      if (next === undefined) return false;
      place = next;
    }
    return true;
  }

  #add(path: string): void {
    this.#isEmpty = false;
    let place = this.#root;
    for (const part of partsOf(path)) {
      const next = place.after.get(part) ?? { isPath: false, after: new Map() };
      place.after.set(part, next);
      place = next;
    }
    place.isPath = true;
  }
}

function partsOf(path: string): readonly string[] {
  return path === '' ? [] : path.split('.');
}
