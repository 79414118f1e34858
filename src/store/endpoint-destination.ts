import {
  type BrokerDestination,
  type Destination,
  passwordOf,
  type SaslMechanism,
  urlOf,
} from '../domain/destination.ts';
import { Prisma } from './prisma.ts';
import { sealedPlace, type Vault } from './vault.ts';

/** The columns of an endpoint that say where its events go. */
export interface DestinationColumns {
  readonly url: string;
  readonly destination: Prisma.InputJsonObject | typeof Prisma.DbNull;
  readonly destinationSealed: Buffer<ArrayBuffer> | null;
}

export function destinationColumns(destination: Destination, endpointId: string, vault: Vault): DestinationColumns {
  const url = urlOf(destination);
  if (destination.type === 'http') return { url, destination: Prisma.DbNull, destinationSealed: null };
  const password = passwordOf(destination);
  return {
    url,
    destination: withoutPassword(destination),
    destinationSealed: password === null ? null : vault.seal(password, sealedPlace.endpointDestination(endpointId)),
  };
}

/**
 * The destination that the columns hold. If `url` is http or https, `stored` does not count: an older version may have written `url`
 * without knowing of the other column. If `sealed` is null, there is no password.
 * @throws UnsealError when the password was sealed with a key that is not at hand.
 */
export function openDestination(
  url: string,
  stored: unknown,
  sealed: Uint8Array | null,
  endpointId: string,
  vault: Vault,
): Destination {
  if (stored === null || /^https?:/.test(url)) return { type: 'http', url };
  const destination = withMechanism(stored as BrokerDestination);
  if (sealed === null) return destination;
  const password = vault.open(sealed, sealedPlace.endpointDestination(endpointId));
  if (destination.type === 'rabbitmq') return { ...destination, password };
  return destination.sasl === null ? destination : { ...destination, sasl: { ...destination.sasl, password } };
}

/** The mechanism is stored in lower case. */
function withMechanism(stored: BrokerDestination): BrokerDestination {
  if (stored.type === 'rabbitmq' || stored.sasl === null) return stored;
  const mechanism = stored.sasl.mechanism.toUpperCase() as SaslMechanism;
  return { ...stored, sasl: { ...stored.sasl, mechanism } };
}

/** As the audit log keeps it: no password, and no query of a URL, which may be as good as one. */
export function auditedDestination(destination: Destination): Prisma.InputJsonObject {
  const url = urlOf(destination).replace(/\?.*$/s, '?…');
  return destination.type === 'http' ? { url } : { url, destination: withoutPassword(destination) };
}

function withoutPassword(destination: BrokerDestination): Prisma.InputJsonObject {
  if (destination.type === 'rabbitmq') {
    const { password: _, ...shown } = destination;
    return shown as unknown as Prisma.InputJsonObject;
  }
  const { sasl, ...rest } = destination;
  // In lower case: earlier versions, which may run beside this one during an upgrade, can log in only by that.
  const shown = sasl === null ? null : { mechanism: sasl.mechanism.toLowerCase(), username: sasl.username };
  return { ...rest, sasl: shown } as unknown as Prisma.InputJsonObject;
}
