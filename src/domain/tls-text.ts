/** A line of OpenSSL's: an address in memory, numbers, where in its code that was, and the reason. Each part is bounded, so that no text takes long. */
const OPENSSL_LINE =
  /\b[0-9A-F]{1,16}:error:[0-9A-F]{1,8}:[^:\n]{0,99}:[^:\n]{0,99}:([^:\n]{0,99}):(?:[A-Za-z]:)?[^:\n]{0,199}:\d{1,9}:[^\n]{0,199}\s*/g;

/** Reasons that name the cause only to those who know TLS well. */
const PLAIN = new Map([
  ['wrong version number', 'what answers on this port does not speak TLS'],
  ['ssl/tls alert handshake failure', 'the other side refused the TLS handshake'],
  ['sslv3 alert handshake failure', 'the other side refused the TLS handshake'],
  ['tlsv1 alert protocol version', 'the two sides have no version of TLS in common'],
  ['unsupported protocol', 'the two sides have no version of TLS in common'],
  ['tlsv13 alert certificate required', 'the other side wants a client certificate'],
]);

/** An error's text with the reason alone of what OpenSSL says in it: tenants read it, whom neither addresses in memory nor paths of its code concern. */
export function tlsText(text: string): string {
  return text.replace(OPENSSL_LINE, (line: string, reason: string, at: number) => {
    const isLast = at + line.length === text.length;
    return `${PLAIN.get(reason) ?? reason}${isLast ? '' : ' '}`;
  });
}
