/** What a link may lead to: within the console, so that no text of strangers becomes an address. */
export type Hash = `#${string}`;

/** Where the reader is: what the fragment of the address says, so that a view can be linked and Back works. */
export interface Place {
  /** Decoded: `['tenants', 'acme', 'events']`. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** @param hash as `location.hash` has it. What does not decode is the start. */
export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  try {
    return {
      path: path.split('/').filter(Boolean).map(decodeURIComponent),
      query: Object.fromEntries(new URLSearchParams(query)),
    };
  } catch {
    return { path: [], query: {} };
  }
}

/** A link to a place. Empty values are left out. */
export function hashOf(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): Hash {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const search = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`;
}
