/** Bytes of strangers as text, a byte order mark included; what is no UTF-8 stays base64, and is said to be. */
export function textOfBase64(base64: string): { readonly text: string; readonly encoding: 'utf-8' | 'base64' } {
  const bytes = Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), encoding: 'utf-8' };
  } catch {
    return { text: base64, encoding: 'base64' };
  }
}
