/** Who is signed in, in this tab alone: the browser forgets it with the tab, and no address or log ever has it. */
export interface Session {
  readonly key: string;
  /** Of a tenant's key; null for an operator's. */
  readonly tenant: string | null;
}

/** One installation's among others on the same origin, behind a proxy that gives each a path. */
const NAME = `posthorn.session ${new URL('..', document.baseURI).pathname}`;

/** Where the browser keeps nothing (storage that is switched off), until the page is loaded anew. */
let current: Session | null = null;

export function readSession(): Session | null {
  return current ?? quietly(() => JSON.parse(sessionStorage.getItem(NAME) ?? 'null') as Session | null);
}

export function keepSession(session: Session): void {
  current = session;
  quietly(() => sessionStorage.setItem(NAME, JSON.stringify(session)));
}

export function forgetSession(): void {
  current = null;
  quietly(() => sessionStorage.removeItem(NAME));
}

function quietly<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
