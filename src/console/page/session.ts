/** Who is signed in, in this tab alone: the browser forgets it with the tab, and no address or log ever has it. */
export interface Session {
  readonly key: string;
  /** Of a tenant's key; null for an operator's. */
  readonly tenant: string | null;
  /** What the key may do; an operator's may do everything. */
  readonly scopes: readonly string[];
}

/** Whether it is worth offering: what the key may not do, the API refuses all the same. */
export function may({ tenant, scopes }: Session, scope: `${string}:write`): boolean {
  return tenant === null || scopes.includes(scope);
}

/** One installation's among others on the same origin, behind a proxy that gives each a path. */
const NAME = `posthorn.session ${new URL('..', document.baseURI).pathname}`;

/** Where the browser keeps nothing (storage that is switched off), until the page is loaded anew. */
let current: Session | null = null;

export function readSession(): Session | null {
  return current ?? quietly(() => sessionIn(sessionStorage.getItem(NAME)));
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

/** What an earlier version kept is none. */
function sessionIn(text: string | null): Session | null {
  const kept = JSON.parse(text ?? 'null') as Session | null;
  return Array.isArray(kept?.scopes) ? kept : null;
}
