/** Who is signed in, in this tab alone: the browser forgets it with the tab, and no other tab, address or log ever has it. */
export interface Session {
  readonly key: string;
  /** Of a tenant's key; null for an operator's. */
  readonly tenant: string | null;
}

const NAME = 'posthorn.session';

export function readSession(): Session | null {
  const text = sessionStorage.getItem(NAME);
  return text === null ? null : (JSON.parse(text) as Session);
}

export function keepSession(session: Session): void {
  sessionStorage.setItem(NAME, JSON.stringify(session));
}

export function forgetSession(): void {
  sessionStorage.removeItem(NAME);
}
