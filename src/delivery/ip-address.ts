import { isIPv4, isIPv6 } from 'node:net';

/** A CIDR as bytes: 4 for v4, 16 for v6. */
export interface Network {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/**
 * The bytes of an IP literal: 4 for v4, 16 for v6; null for anything else. Only the canonical dotted form of v4 is one
 * (`0x7f.1` is not); a zone (`%eth0`) is ignored. IPv4-mapped addresses become v4, because that is what the socket reaches.
 */
export function parseAddress(text: string): Uint8Array | null {
  const zone = text.indexOf('%');
  const bare = zone === -1 ? text : text.slice(0, zone);
  if (isIPv4(bare)) return parseV4(bare);
  if (!isIPv6(bare)) return null;
  const bytes = parseV6(bare);
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/**
 * A CIDR (`10.0.0.0/8`, `fd00::/8`), or an address that stands for itself alone; null when it is neither. Host bits are
 * cleared, and a network of IPv4-mapped addresses becomes the v4 network it stands for.
 */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  if (address.includes('%') || (!isIPv4(address) && !isIPv6(address))) return null;
  let bytes = isIPv4(address) ? parseV4(address) : parseV6(address);
  const length = slash === -1 ? String(bytes.length * 8) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) return null;
  let bits = Number(length);
  if (bits >= 96 && isMapped(bytes)) {
    bytes = bytes.subarray(12);
    bits -= 96;
  }
  return { bytes: bytes.map((byte, at) => byte & maskOf(bits, at)), bits };
}

/** Whether an address of the same family lies in the network; addresses of the other family never do. */
export function contains(network: Network, address: Uint8Array): boolean {
  if (network.bytes.length !== address.length) return false;
  for (let at = 0; at * 8 < network.bits; at++) {
    if ((address[at]! & maskOf(network.bits, at)) !== network.bytes[at]!) return false;
  }
  return true;
}

export function sameAddress(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function isUnspecified(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

/** The bits of byte `at` that belong to a prefix of `bits` bits. */
function maskOf(bits: number, at: number): number {
  const within = Math.min(8, Math.max(0, bits - at * 8));
  return (0xff << (8 - within)) & 0xff;
}

function parseV4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.'), Number);
}

function parseV6(text: string): Uint8Array {
  const dotted = text.lastIndexOf('.') === -1 ? null : parseV4(text.slice(text.lastIndexOf(':') + 1));
  const groups =
    dotted === null ? text : `${text.slice(0, text.lastIndexOf(':') + 1)}${hexPair(dotted, 0)}:${hexPair(dotted, 2)}`;
  const [head = '', tail] = groups.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const bytes = new Uint8Array(16);
  for (const [at, group] of before.entries()) writeGroup(bytes, at, group);
  for (const [at, group] of after.entries()) writeGroup(bytes, 8 - after.length + at, group);
  return bytes;
}

function hexPair(bytes: Uint8Array, at: number): string {
  return ((bytes[at]! << 8) | bytes[at + 1]!).toString(16);
}

function writeGroup(bytes: Uint8Array, group: number, hex: string): void {
  const value = Number.parseInt(hex, 16);
  bytes[group * 2] = value >>> 8;
  bytes[group * 2 + 1] = value & 0xff;
}

function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  );
}
