import { contains, isUnspecified, type Network, parseAddress, parseNetwork, sameAddress } from './ip-address.ts';
import { deniedNetworks, deniedPorts } from './networks.ts';

/** What the operator says about egress, as text. */
export interface EgressRules {
  /** CIDRs that deliveries may reach although private. */
  readonly allowedNetworks?: readonly string[];
  /** Exact `ip:port` or `[ip]:port` that may be reached whatever their network and port. */
  readonly allowedSockets?: readonly string[];
  /**
   * Exact `ip:port` or `[ip]:port` that are never reached, whatever is allowed: our own address, Postgres, Redis. A service that
   * listens on all addresses needs one for each interface; `0.0.0.0` stands for loopback only.
   */
  readonly forbiddenSockets?: readonly string[];
  /** Denied ports that the operator opens. */
  readonly allowedPorts?: readonly number[];
  readonly httpsOnly?: boolean;
}

interface SocketAddress {
  readonly address: Uint8Array;
  readonly port: number;
}

/** The rules made ready for checking; made by `compileEgressPolicy`. */
export interface EgressPolicy {
  readonly allowedNetworks: readonly Network[];
  readonly allowedSockets: readonly SocketAddress[];
  /** What is ours may move (`forbidSockets`): one array, which policies that are made from this one share. */
  readonly forbiddenSockets: SocketAddress[];
  readonly allowedPorts: ReadonlySet<number>;
  readonly httpsOnly: boolean;
}

/** `detail` names no address: it is shown to tenants, who must not learn through it what our name servers answer. */
export type EgressVerdict =
  | { readonly ok: true }
  /** `isOfNetwork`: it is the network of the address that is not allowed, and nothing else. */
  | { readonly ok: false; readonly detail: string; readonly isOfNetwork?: true };

const PERMITTED: EgressVerdict = { ok: true };

const loopback = [parseNetwork('127.0.0.0/8')!, parseNetwork('::1/128')!];

const denied = deniedNetworks.map((rule) => ({ ...rule, network: parseNetwork(rule.cidr)! }));

/** @throws RangeError naming the rule that does not parse: a misconfiguration, to be met at start and not at a delivery. */
export function compileEgressPolicy(rules: EgressRules): EgressPolicy {
  return {
    allowedNetworks: (rules.allowedNetworks ?? []).map((text) => {
      const network = parseNetwork(text);
      if (network === null) throw new RangeError(`not a CIDR: ${text}`);
      return network;
    }),
    allowedSockets: (rules.allowedSockets ?? []).map(parseSocket),
    forbiddenSockets: (rules.forbiddenSockets ?? []).map(parseSocket),
    allowedPorts: new Set(rules.allowedPorts),
    httpsOnly: rules.httpsOnly ?? false,
  };
}

/** From now on these are never reached, in place of those before. @throws RangeError naming the one that does not parse; then nothing is changed */
export function forbidSockets(policy: EgressPolicy, sockets: readonly string[]): void {
  policy.forbiddenSockets.splice(0, Number.POSITIVE_INFINITY, ...sockets.map(parseSocket));
}

/**
 * Whether a delivery may open a connection to `ip` (a literal, not a name) on `port`. Addresses that carry an IPv4 address
 * inside (mapped, compatible, translated, NAT64, 6to4, Teredo) pass only if the address within passes too. A broad allowed
 * CIDR opens neither link-local nor metadata addresses: those must be named by a CIDR that lies within their own network.
 */
export function checkAddress(policy: EgressPolicy, ip: string, port: number): EgressVerdict {
  const address = parseAddress(ip);
  if (address === null) return { ok: false, detail: 'not an IP address' };
  const forms = [address, ...embeddedV4(address)];
  if (policy.forbiddenSockets.some((socket) => forms.some((form) => reaches(socket, form, port)))) {
    return { ok: false, detail: `port ${port} of this address belongs to this service` };
  }
  if (policy.allowedSockets.some((socket) => socket.port === port && sameAddress(socket.address, address)))
    return PERMITTED;
  const onPort = checkPort(policy, port);
  if (!onPort.ok) return onPort;
  for (const form of forms) {
    const reason = denialOf(policy, form);
    if (reason !== null)
      return {
        ok: false,
        isOfNetwork: true,
        detail: `address is in a network that is not allowed (${reason}): the operator opens networks by ALLOWED_NETWORKS`,
      };
  }
  return PERMITTED;
}

/** Whether a literal is an address of loopback itself; one that carries such an address inside is not. */
export function isLoopback(ip: string): boolean {
  const address = parseAddress(ip);
  return address !== null && loopback.some((network) => contains(network, address));
}

/** Whether a delivery may use `port`, whatever the address. */
export function checkPort(policy: EgressPolicy, port: number): EgressVerdict {
  if (!Number.isInteger(port) || port < 1 || port > 65535) return { ok: false, detail: `port ${port} is not a port` };
  const service = policy.allowedPorts.has(port) ? undefined : deniedPorts.get(port);
  return service === undefined
    ? PERMITTED
    : { ok: false, detail: `port ${port} (${service}) is not allowed: the operator opens ports by ALLOWED_PORTS` };
}

/** Whether a delivery may use a URL protocol as `new URL()` gives it (`https:`). */
export function checkProtocol(policy: EgressPolicy, protocol: string): EgressVerdict {
  if (protocol === 'https:' || (protocol === 'http:' && !policy.httpsOnly)) return PERMITTED;
  return { ok: false, detail: policy.httpsOnly ? 'only https is allowed' : 'only http and https are allowed' };
}

/**
 * A connection to the unspecified address reaches this host, so it is held against every forbidden socket of the port; and a
 * socket of ours that listens on the unspecified address is reached through every loopback address.
 */
function reaches(socket: SocketAddress, address: Uint8Array, port: number): boolean {
  if (socket.port !== port) return false;
  if (sameAddress(socket.address, address) || isUnspecified(address)) return true;
  return isUnspecified(socket.address) && loopback.some((network) => contains(network, address));
}

function denialOf(policy: EgressPolicy, address: Uint8Array): string | null {
  for (const { network, reason, namedOnly } of denied) {
    if (!contains(network, address)) continue;
    const least = namedOnly ? network.bits : 0;
    if (!policy.allowedNetworks.some((allowed) => allowed.bits >= least && contains(allowed, address))) return reason;
  }
  return null;
}

/** Where v6 forms carry a v4 address: the places of its bytes, and whether they are inverted (Teredo, RFC 4380 §4). */
const carriers = [
  { cidr: '::/96', places: [12, 13, 14, 15] },
  { cidr: '::ffff:0:0:0/96', places: [12, 13, 14, 15] },
  { cidr: '64:ff9b::/96', places: [12, 13, 14, 15] },
  { cidr: '2002::/16', places: [2, 3, 4, 5] },
  { cidr: '2001::/32', places: [4, 5, 6, 7] },
  { cidr: '2001::/32', places: [12, 13, 14, 15], inverted: true },
].map((carrier) => ({ ...carrier, network: parseNetwork(carrier.cidr)! }));

const LOCAL_NAT64 = parseNetwork('64:ff9b:1::/48')!;
/**
 * RFC 8215 leaves the length of a prefix within it to the operator: 48, 56, 64 or 96 bits, and with each the v4 address stands elsewhere
 * (RFC 6052 §2.2). What follows it, and the byte between, are not to be relied on: who writes an address writes them.
 */
const LOCAL_NAT64_PLACES = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
];

const ownV6 = [parseNetwork('::/128')!, parseNetwork('::1/128')!];

function embeddedV4(address: Uint8Array): Uint8Array[] {
  if (address.length === 4 || ownV6.some((own) => contains(own, address))) return [];
  if (contains(LOCAL_NAT64, address)) return localNat64Forms(address);
  return carriers
    .filter((carrier) => contains(carrier.network, address))
    .map(({ places, inverted }) => bytesAt(places, address).map((byte) => (inverted ? byte ^ 0xff : byte)));
}

/** Read at the wrong places the zeros around an address look like one in 0.0.0.0/8, where nothing is: that counts only when nothing else was read. */
function localNat64Forms(address: Uint8Array): Uint8Array[] {
  const forms = LOCAL_NAT64_PLACES.map((places) => bytesAt(places, address));
  const meant = forms.filter((form) => form[0] !== 0);
  return meant.length > 0 ? meant : forms;
}

function bytesAt(places: readonly number[], address: Uint8Array): Uint8Array {
  return Uint8Array.from(places, (place) => address[place]!);
}

function parseSocket(text: string): SocketAddress {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = parseAddress(v6 ?? v4 ?? '');
  if (address === null || port === undefined) throw new RangeError(`not an ip:port: ${text}`);
  return { address, port: Number(port) };
}
