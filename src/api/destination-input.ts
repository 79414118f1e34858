import { checkBrokerHost } from '../delivery/brokers/broker-host.ts';
import type { EgressPolicy } from '../delivery/egress-policy.ts';
import { checkEndpointUrl } from '../delivery/endpoint-url.ts';
import { type BrokerDestination, type Destination, urlOf } from '../domain/destination.ts';
import type { Fault } from '../domain/errors.ts';
import { certificateProblem } from './certificate-input.ts';
import type { DestinationInput } from './destination-schema.ts';

export interface DestinationRules {
  readonly policy: EgressPolicy;
  readonly types: readonly Destination['type'][];
}

/** What a body says about where events go, in either of two fields. A password that was left out is empty. */
export interface GivenDestination {
  readonly byUrl?: Destination;
  readonly byDestination?: Destination;
}

interface Input {
  readonly url?: string | undefined;
  readonly destination?: DestinationInput | undefined;
}

/**
 * Reads a destination, and adds a fault for one that can never be reached. This is no guard: deliveries are guarded where their socket
 * opens.
 */
export function readDestination(
  { url, destination }: Input,
  rules: DestinationRules,
  faults: Fault[],
): GivenDestination {
  const byDestination = destination === undefined ? undefined : readOne(destination, rules, faults);
  // A destination that is no URL is shown with a line in `url`. If this line comes back, it says nothing more.
  const isEcho = byDestination !== undefined && byDestination.type !== 'http' && url === urlOf(byDestination);
  const byUrl = url === undefined || isEcho ? undefined : readUrl(url, 'url', rules.policy, faults);
  return { ...(byUrl && { byUrl }), ...(byDestination && { byDestination }) };
}

function readOne(destination: DestinationInput, { policy, types }: DestinationRules, faults: Fault[]): Destination {
  if (!types.includes(destination.type)) {
    faults.push({ path: 'destination.type', message: 'is not among DESTINATION_TYPES of this installation' });
  }
  if (destination.type === 'http') return readUrl(destination.url, 'destination.url', policy, faults);
  const badCa = destination.ca == null ? null : certificateProblem(destination.ca);
  if (badCa !== null) faults.push({ path: 'destination.ca', message: badCa });
  if (policy.httpsOnly && destination.tls === false)
    faults.push({ path: 'destination.tls', message: 'only TLS is allowed' });
  return destination.type === 'kafka'
    ? readKafka(destination, policy, faults)
    : readRabbitmq(destination, policy, faults);
}

function readUrl(text: string, path: string, policy: EgressPolicy, faults: Fault[]): Destination {
  const checked = checkEndpointUrl(policy, text);
  if (!checked.ok) faults.push({ path, message: checked.message });
  return { type: 'http', url: checked.ok ? checked.href : text };
}

function readKafka(
  input: Extract<DestinationInput, { type: 'kafka' }>,
  policy: EgressPolicy,
  faults: Fault[],
): Destination {
  const { topic, key = 'subject', tls = true, ca = null, sasl = null } = input;
  const brokers = readHosts('kafka', input.brokers, 9092, 'destination.brokers', policy, faults);
  return { type: 'kafka', brokers, topic, key, tls, ca, sasl: sasl && { ...sasl, password: sasl.password ?? '' } };
}

function readRabbitmq(
  input: Extract<DestinationInput, { type: 'rabbitmq' }>,
  policy: EgressPolicy,
  faults: Fault[],
): Destination {
  const { vhost = '/', exchange, key, tls = true, ca = null, username, password = '' } = input;
  if (input.routing_key !== undefined && key !== undefined)
    faults.push({ path: 'destination.key', message: 'expected routing_key or key, not both' });
  const hosts = readHosts('rabbitmq', input.hosts, tls ? 5671 : 5672, 'destination.hosts', policy, faults);
  const routing = input.routing_key === undefined ? { from: key ?? 'type' } : { key: input.routing_key };
  return { type: 'rabbitmq', hosts, vhost, exchange, routing, tls, ca, username, password };
}

function readHosts(
  type: BrokerDestination['type'],
  texts: readonly string[],
  defaultPort: number,
  path: string,
  policy: EgressPolicy,
  faults: Fault[],
): string[] {
  return texts.map((text, at) => {
    const checked = checkBrokerHost(policy, type, text, defaultPort);
    if (checked.ok) return checked.host;
    faults.push({ path: `${path}.${at}`, message: checked.message });
    return text;
  });
}
