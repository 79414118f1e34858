import type { Fault } from '../domain/errors.ts';

const PREFIX = 'ce-';
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface HttpAttributes {
  readonly attributes: readonly (readonly [string, string])[];
  readonly faults: readonly Fault[];
}

/**
 * The attributes among the headers of an HTTP message, names without `ce-`, decoded (http-protocol-binding.md §3.1.3).
 * @param rawHeaders names and values in turn, as Node gives them: a header that came twice is there twice
 */
export function attributesOfHeaders(rawHeaders: readonly string[]): HttpAttributes {
  const attributes: (readonly [string, string])[] = [];
  const faults: Fault[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!name.startsWith(PREFIX)) continue;
    const value = decodeHeader(rawHeaders[i + 1]!);
    const path = name.slice(PREFIX.length);
    if (value === null)
      faults.push({ path, message: 'expected printable ASCII, and everything else percent-encoded as UTF-8' });
    attributes.push([path, value ?? '?']);
  }
  return { attributes, faults };
}

/** A header's value as the attribute that it stands for; null when it stands for none. */
export function decodeHeader(header: string): string | null {
  if (!/^[\t\x20-\x7e]*$/.test(header)) return null;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(header)?.[1];
  const text = quoted === undefined ? header : quoted.replace(/\\(.)/g, '$1');
  if (!text.includes('%')) return text;
  try {
    return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (bytes) =>
      decoder.decode(Buffer.from(bytes.replaceAll('%', ''), 'hex')),
    );
  } catch {
    return null;
  }
}

/** An attribute's canonical text as a header's value. */
export function encodeHeader(text: string): string {
  return text.replace(/[^\x21\x23\x24\x26-\x7e]+/gu, (characters) =>
    [...Buffer.from(characters)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
