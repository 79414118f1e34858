import { isIP } from 'node:net';
import { checkAddress, checkPort, checkProtocol, type EgressPolicy, type EgressVerdict } from './egress-policy.ts';
import { isLocalhost, LOCALHOST_ADDRESSES } from './localhost.ts';
import { metadataNames } from './networks.ts';
import { vetAddresses } from './vet-addresses.ts';

export type EndpointUrlCheck =
  | { readonly ok: true; readonly href: string }
  | { readonly ok: false; readonly message: string };

const MAX_LENGTH = 2048;

/**
 * The check of an endpoint URL when it is written. It refuses what can never be delivered to, so that its owner learns at once;
 * the guard is where the socket opens, because a name may resolve to anything later. Names that are not judged here (also those
 * of a single label, as in `http://receiver:3000` under compose) are judged by their addresses at each connection.
 *
 * `href` is the form to store and to send: `new URL()` has turned every spelling of an address (`0x7f.1`, `127。0。0。1`) into one.
 */
export function checkEndpointUrl(policy: EgressPolicy, text: string): EndpointUrlCheck {
  const malformed = malformation(text);
  if (malformed !== null) return refuse(malformed);
  const url = new URL(text);
  if (url.href.length > MAX_LENGTH) return refuse(`must be at most ${MAX_LENGTH} characters`);
  if (url.username !== '' || url.password !== '' || /^https?:\/\/[^/?#]*@/i.test(text)) {
    return refuse('must not contain a user name or password; send credentials in a header');
  }
  if (url.hash !== '' || text.includes('#')) return refuse('must not contain a fragment (#); it would never be sent');
  const protocol = checkProtocol(policy, url.protocol);
  if (!protocol.ok) return refuse(protocol.detail);
  const host = checkHost(policy, url.hostname, portOf(url));
  return host.ok ? { ok: true, href: url.href } : refuse(host.detail);
}

/** The port that a URL stands for, its protocol's default included. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function malformation(text: string): string | null {
  if (text === '') return 'must not be empty';
  if (text.length > MAX_LENGTH) return `must be at most ${MAX_LENGTH} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[\s\u0000-\u0020\u007f-\u009f]/u.test(text)) return 'must not contain spaces or control characters';
  if (text.includes('\\')) return 'must not contain backslashes';
  if (!/^https?:\/\/[^/]/i.test(text)) return 'must be an absolute URL that starts with http:// or https://';
  return URL.canParse(text) ? null : 'is not a valid URL';
}

/** Whether a host, as `new URL()` gives it, may be delivered to as far as its name tells. */
export function checkHost(policy: EgressPolicy, hostname: string, port: number): EgressVerdict {
  const literal = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  if (isIP(literal) !== 0) return checkAddress(policy, literal, port);
  if (hostname.endsWith('.')) return { ok: false, detail: 'host name must not end with a dot' };
  if (hostname.length > 253 || hostname.split('.').some((label) => label === '' || label.length > 63)) {
    return { ok: false, detail: 'host name has a label that is empty or over 63 characters, or is over 253 in all' };
  }
  if (isLocalhost(hostname)) return vetAddresses(policy, hostname, LOCALHOST_ADDRESSES, port);
  const metadata = metadataNames.get(hostname);
  return metadata === undefined ? checkPort(policy, port) : checkAddress(policy, metadata, port);
}

function refuse(message: string): EndpointUrlCheck {
  return { ok: false, message };
}
