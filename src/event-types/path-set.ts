/** Where a part of a path leads, with the places behind it by the next part. */
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

  /** Whether the path is one of these, or inside one of them, or has one of them inside it. All paths are inside the empty one. */
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
