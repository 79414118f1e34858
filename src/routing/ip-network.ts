/** An address or a network, as a number in a space of 32 or 128 bits. */
export interface IpNetwork {
  readonly width: 32 | 128;
  /** Length of the prefix; `width` for an address. */
  readonly bits: number;
  /** The prefix alone: the host's bits are shifted out. */
  readonly prefix: bigint;
}

/** What a CIDR such as `10.0.0.0/8` or `2001:db8::/32` says, host bits ignored; null when it is none. */
export function parseCidr(text: string): IpNetwork | null {
  const [, address = '', length = ''] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const parsed = parseIp(address);
  const bits = Number(length);
  if (parsed === null || bits > parsed.width) return null;
  return { width: parsed.width, bits, prefix: prefixOf(parsed, bits) };
}

/** An address in the dotted form of v4 (no leading zeros) or a form of RFC 4291 (no zone); null for any other text. */
export function parseIp(text: string): IpNetwork | null {
  // Most texts are no addresses: this settles it before anything is built.
  if (text.length < 2 || text.length > 45) return null;
  if (V4.test(text)) return { width: 32, bits: 32, prefix: BigInt(v4Number(text)) };
  return text.includes(':') ? parseV6(text) : null;
}

/** The first bits of an address. */
export function prefixOf({ width, prefix }: IpNetwork, bits: number): bigint {
  return prefix >> BigInt(width - bits);
}

export function isWithin(address: IpNetwork, network: IpNetwork): boolean {
  return address.width === network.width && prefixOf(address, network.bits) === network.prefix;
}

const V4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

function v4Number(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function parseV6(text: string): IpNetwork | null {
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  let hex = text;
  if (tail.includes('.')) {
    if (!V4.test(tail)) return null;
    const number = v4Number(tail);
    hex = `${text.slice(0, lastColon + 1)}${Math.floor(number / 65_536).toString(16)}:${(number % 65_536).toString(16)}`;
  }
  const halves = hex.split('::');
  if (halves.length > 2) return null;
  const [head = [], rest = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - rest.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<string>(missing).fill('0'), ...rest];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return { width: 128, bits: 128, prefix: BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`) };
}
