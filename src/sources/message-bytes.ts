/** What a message, and each of its headers, takes in memory beside its bytes, about. */
export const OVERHEAD_BYTES = 512;
const HEADER_BYTES = 256;

type Part = { readonly length: number } | null;

/** What a message takes in memory, about. Gone through once for each of its headers: it may have very many. */
export function messageBytes(body: Part, key: Part, headers: Iterable<readonly [Part, Part]>): number {
  let bytes = OVERHEAD_BYTES + (body?.length ?? 0) + (key?.length ?? 0);
  for (const [name, value] of headers) bytes += HEADER_BYTES + (name?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}
