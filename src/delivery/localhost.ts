/** What names of this host stand for where the hosts file says nothing else. */
export const LOCALHOST_ADDRESSES: readonly string[] = ['127.0.0.1', '::1'];

/**
 * Whether a host name means this host, whatever a name server says (RFC 6761 §6.3).
 * @param name in lower case, without a dot at its end
 */
export function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}
