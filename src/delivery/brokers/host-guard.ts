import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { BrokerDestination } from '../../domain/destination.ts';
import { DeliveryFailure, unreachable } from '../classify.ts';
import { checkAddress, type EgressPolicy } from '../egress-policy.ts';
import type { Resolver } from '../resolver.ts';
import { vetAddresses } from '../vet-addresses.ts';
import type { BrokerHost } from './broker-host.ts';
import { brokerPolicy } from './broker-policy.ts';

/** Where a client of a broker may open a socket. */
export interface HostGuard {
  /**
   * The addresses of a host, all of them checked: one that is denied refuses the host (but see `vetAddresses`). The socket must be opened to one of them by its
   * literal, so that no second resolution can change it.
   * @throws DeliveryFailure
   */
  vet(host: BrokerHost): Promise<readonly string[]>;
  /** Whether a socket that has opened reached what it may: that it did is checked too, because everything rests on it. */
  isAllowedPeer(address: string | undefined, port: number): boolean;
}

/** The operator's egress rules for the brokers of one kind; the same for every host, whoever named it. */
export function createHostGuard(
  { policy, resolver }: { readonly policy: EgressPolicy; readonly resolver: Resolver },
  { type, tls }: Pick<BrokerDestination, 'type' | 'tls'>,
): HostGuard {
  const own = brokerPolicy(policy, type);
  return {
    async vet({ hostname, port }) {
      if (policy.httpsOnly && !tls) throw new DeliveryFailure({ kind: 'blocked', detail: 'only TLS is allowed' });
      const addresses = isIP(hostname) === 0 ? await resolve(resolver, hostname) : [hostname];
      const vetted = vetAddresses(own, hostname, addresses, port);
      if (!vetted.ok) throw new DeliveryFailure({ kind: 'blocked', detail: `${hostname}: ${vetted.detail}` });
      return vetted.addresses;
    },
    isAllowedPeer: (address, port) => address !== undefined && checkAddress(own, address, port).ok,
  };
}

async function resolve(resolver: Resolver, hostname: string): Promise<readonly string[]> {
  const resolution = await resolver.resolve(hostname);
  if (!resolution.ok) throw new DeliveryFailure(unreachable('dns', resolution.detail));
  if (resolution.addresses.length > 0) return resolution.addresses;
  throw new DeliveryFailure(unreachable('dns', `${hostname}: the name has no addresses (ENODATA)`));
}

/** TLS for a socket to a vetted address: the certificate is held against the host's name, or the literal that was asked for. */
export function brokerTls(hostname: string, ca: string | null): ConnectionOptions {
  return {
    ...(isIP(hostname) === 0 ? { servername: hostname.replace(/\.$/, '') } : {}),
    minVersion: 'TLSv1.2',
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED in the environment cannot turn verification off.
    rejectUnauthorized: true,
    ...(ca === null ? {} : { ca }),
  };
}
