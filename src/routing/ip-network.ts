/** An address or a network, in groups of 16 bits: two for v4, eight for v6. */
export interface IpNetwork {
  readonly groups: readonly number[];
  /** Length of the prefix; all bits for an address. */
  readonly bits: number;
}

const GROUP_BITS = 16;

/** Reads a CIDR such as `10.0.0.0/8` or `2001:db8::/32`; null for any other text. Bits behind the prefix mean nothing. */
export function parseCidr(text: string): IpNetwork | null {
  const [, address = '', length = ''] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const groups = parseIp(address);
  const bits = Number(length);
  return groups === null || bits > groups.length * GROUP_BITS ? null : { groups, bits };
}

/** Reads an address in the dotted form of v4 (no leading zeros) or a form of RFC 4291 (no zone) into groups; null for any other text. */
export function parseIp(text: string): readonly number[] | null {
  if (text.length < 2 || text.length > 45) return null;
  const colon = text.indexOf(':');
  return colon === -1 || colon > 4 ? parseV4(text) : parseV6(text);
}

/** A text that addresses of one family have in common when, and only when, their first bits are the same. */
export function prefixKey(groups: readonly number[], bits: number): string {
  let key = '';
  const whole = bits >> 4;
  for (let i = 0; i < whole; i++) key += String.fromCharCode(groups[i]!);
  const rest = bits & 15;
  return rest === 0 ? key : key + String.fromCharCode(groups[whole]! >> (GROUP_BITS - rest));
}

export function isWithin(groups: readonly number[], network: IpNetwork): boolean {
  return (
    groups.length === network.groups.length &&
    prefixKey(groups, network.bits) === prefixKey(network.groups, network.bits)
  );
}

const DOT = 0x2e;
const ZERO = 0x30;

/** By hand: an event may bring tens of thousands of texts, and a regular expression would take ten times as long for each. */
function parseV4(text: string): number[] | null {
  if (text.length > 15) return null;
  const groups = [0, 0];
  let dots = 0;
  let start = 0;
  let octet = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? DOT : text.charCodeAt(i);
    if (code === DOT) {
      const digits = i - start;
      const isLeading = digits > 1 && text.charCodeAt(start) === ZERO;
      if (digits === 0 || isLeading || octet > 255 || dots > 3) return null;
      groups[dots >> 1] = groups[dots >> 1]! * 256 + octet;
      dots++;
      start = i + 1;
      octet = 0;
    } else if (code < ZERO || code > ZERO + 9) return null;
    else octet = octet * 10 + code - ZERO;
  }
  return dots === 4 ? groups : null;
}

function parseV6(text: string): number[] | null {
  const groups: number[] = [];
  let gap = -1;
  let at = 0;
  if (text.startsWith('::')) {
    gap = 0;
    at = 2;
  }
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const part = text.slice(at, colon === -1 ? text.length : colon);
    const dotted = colon === -1 && part.includes('.') ? parseV4(part) : null;
    if (dotted !== null) groups.push(...dotted);
    else if (!HEX_GROUP.test(part)) return null;
    else groups.push(Number.parseInt(part, 16));
    if (colon === -1) break;
    at = colon + 1;
    if (at === text.length) return null;
    if (text.charCodeAt(at) !== 0x3a) continue;
    if (gap !== -1) return null;
    gap = groups.length;
    at++;
  }
  return withGap(groups, gap);
}

const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;

/** Fills up with zeros at the place of `::`, which stands for one group at least. */
function withGap(groups: readonly number[], gap: number): number[] | null {
  const missing = 8 - groups.length;
  if (gap === -1) return missing === 0 ? [...groups] : null;
  return missing < 1 ? null : [...groups.slice(0, gap), ...new Array<number>(missing).fill(0), ...groups.slice(gap)];
}
