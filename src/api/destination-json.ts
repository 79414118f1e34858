import type { z } from 'zod';
import type { Destination } from '../domain/destination.ts';
import type { destinationOutput } from './destination-schema.ts';

/** A destination as the API shows it to anybody: without its password. */
export function destinationJson(destination: Destination): z.infer<typeof destinationOutput> {
  switch (destination.type) {
    case 'http':
      return { type: 'http', url: destination.url };
    case 'kafka': {
      const { brokers, topic, key, tls, ca, sasl } = destination;
      const shown = sasl === null ? null : { mechanism: sasl.mechanism, username: sasl.username };
      return { type: 'kafka', brokers: [...brokers], topic, key, tls, ca, sasl: shown };
    }
    case 'rabbitmq': {
      const { hosts, vhost, exchange, routing, tls, ca, username } = destination;
      const routed = 'key' in routing ? { routing_key: routing.key } : { key: routing.from };
      return { type: 'rabbitmq', hosts: [...hosts], vhost, exchange, ...routed, tls, ca, username };
    }
  }
}
