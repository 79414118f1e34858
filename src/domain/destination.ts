/** Where an endpoint's events go. Passwords are in the clear: never log a destination. */
export type Destination = HttpDestination | BrokerDestination;

export type BrokerDestination = KafkaDestination | RabbitmqDestination;

export interface HttpDestination {
  readonly type: 'http';
  /** As normalised by `new URL(…).href`. */
  readonly url: string;
}

/** What of an event the message's key is taken from. */
export type KeySource = 'subject' | 'type' | 'tenant';

/** As SASL's registry and Kafka write them. */
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export interface KafkaDestination {
  readonly type: 'kafka';
  /** `host:port` of some brokers of the cluster, IPv6 literals in brackets. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly key: KeySource;
  readonly tls: boolean;
  /** PEM certificates to trust in place of the well-known ones. */
  readonly ca: string | null;
  readonly sasl: {
    readonly mechanism: SaslMechanism;
    readonly username: string;
    readonly password: string;
  } | null;
}

export interface RabbitmqDestination {
  readonly type: 'rabbitmq';
  /** `host:port` of the nodes of one cluster, likewise. */
  readonly hosts: readonly string[];
  readonly vhost: string;
  /** Empty: the default exchange, whose routing keys are names of queues. */
  readonly exchange: string;
  /** The routing key, or what of the event it is taken from. */
  readonly routing: { readonly key: string } | { readonly from: KeySource };
  readonly tls: boolean;
  readonly ca: string | null;
  readonly username: string;
  readonly password: string;
}

/**
 * A destination as one line of text, without credentials: the URL of an HTTP endpoint, else a URL whose scheme no HTTP client takes, so
 * that a process of an older version refuses to send there instead of sending somewhere else.
 */
export function urlOf(destination: Destination): string {
  switch (destination.type) {
    case 'http':
      return destination.url;
    case 'kafka':
      return `kafka://${destination.brokers[0]}/${destination.topic}`;
    case 'rabbitmq':
      return `rabbitmq://${destination.hosts[0]}/${encodeURIComponent(destination.vhost)}/${encodeURIComponent(destination.exchange)}`;
  }
}

/** What of a destination must not be seen again by anybody; null when there is none. */
export function passwordOf(destination: BrokerDestination): string | null {
  return destination.type === 'kafka' ? (destination.sasl?.password ?? null) : destination.password;
}
