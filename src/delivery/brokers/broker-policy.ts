import type { BrokerDestination } from '../../domain/destination.ts';
import type { EgressPolicy } from '../egress-policy.ts';

/** A broker's own well-known port is denied to HTTP, lest a request pass for its protocol; to the protocol itself it is open. */
const OWN_PORT = { kafka: 9092, rabbitmq: 5672 } as const satisfies Record<BrokerDestination['type'], number>;

/** The operator's rules as they hold for connections to brokers: the same networks, forbidden sockets and ports, but for the broker's own. */
export function brokerPolicy(policy: EgressPolicy, type: BrokerDestination['type']): EgressPolicy {
  return { ...policy, allowedPorts: new Set([...policy.allowedPorts, OWN_PORT[type]]) };
}
