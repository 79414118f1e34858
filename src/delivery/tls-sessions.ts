export interface TlsSessions {
  get(key: string): Buffer | undefined;
  /**
   * To be called with what a socket's `session` event gives, which node emits only once the certificate and the host name have
   * been accepted. That matters: the host name is not checked again on a resumed session.
   */
  keep(key: string, session: Buffer): void;
}

/** TLS sessions to resume, at most `most` of them, the newest kept. */
export function createTlsSessions(most: number): TlsSessions {
  const sessions = new Map<string, Buffer>();
  return {
    get: (key) => sessions.get(key),
    keep(key, session) {
      sessions.delete(key);
      if (sessions.size >= most) sessions.delete(sessions.keys().next().value!);
      sessions.set(key, session);
    },
  };
}
