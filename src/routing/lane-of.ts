/**
 * The lane of an endpoint: FNV-1a over its number's four bytes, modulo the number of lanes. It must never change for a given number of
 * lanes, because rows in the mailbox carry it.
 */
export function laneOf(endpointNum: number, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let shift = 0; shift < 32; shift += 8) {
    hash = Math.imul(hash ^ ((endpointNum >>> shift) & 255), 0x01000193);
  }
  return (hash >>> 0) % lanes;
}
