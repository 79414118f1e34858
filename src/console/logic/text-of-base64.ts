/** Bytes of strangers as text: what is no UTF-8 becomes U+FFFD. */
export function textOfBase64(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0)));
}
