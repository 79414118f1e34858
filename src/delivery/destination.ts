import type { Failure } from './classify.ts';
import { unreachable } from './classify.ts';
import { checkAddress, type EgressPolicy } from './egress-policy.ts';
import { vetAddresses } from './vet-addresses.ts';

/** A host whose addresses are known. */
export interface Host {
  /** A name, or an IP literal without brackets. */
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

/**
 * Where sockets may be opened to, and the word on where they came out. Whoever wants a socket needs one (see `openSocket`), and there are two ways to it
 * alone, so that the egress policy cannot be left out by mistake.
 */
export class Destination {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly #hostname: string;
  readonly #policy: EgressPolicy | null;

  private constructor({ hostname, addresses, port }: Host, policy: EgressPolicy | null) {
    this.addresses = addresses;
    this.port = port;
    this.#hostname = hostname;
    this.#policy = policy;
  }

  /** A receiver, where the policy allows what `vetAddresses` says; else why it is blocked. */
  static ofReceiver(policy: EgressPolicy, host: Host): Destination | Failure {
    const vetted = vetAddresses(policy, host.hostname, host.addresses, host.port);
    if (!vetted.ok) return { kind: 'blocked', detail: `${host.hostname}: ${vetted.detail}` };
    return new Destination({ ...host, addresses: vetted.addresses }, policy);
  }

  /** The operator's own egress proxy, which may be anywhere. */
  static ofProxy(host: Host): Destination {
    return new Destination(host, null);
  }

  /**
   * The addresses were checked before; that a socket really reached one is checked too, because everything rests on it.
   * @param peer where a socket came out; undefined when it is closed already
   * @returns why it may not be used
   */
  checkPeer(peer: string | undefined): Failure | null {
    if (peer === undefined) return unreachable('reset', 'connection was closed at once');
    if (this.#policy === null) return null;
    const verdict = checkAddress(this.#policy, peer, this.port);
    return verdict.ok ? null : { kind: 'blocked', detail: `${this.#hostname}: ${verdict.detail}` };
  }
}
