import type { Channel } from 'rabbitmq-client';
import type { RabbitmqSource } from '../config/source-schema.ts';

/**
 * Declares what the source is to declare, and checks that the rest is there.
 * @throws Error of the broker when something is not there, is there with other properties, or may not be touched; it ends the channel.
 */
export async function declareTopology(channel: Channel, { consume }: RabbitmqSource): Promise<void> {
  const { exchange, queue, bindings } = consume;
  if (exchange !== undefined) {
    const { name, type, declare, durable } = exchange;
    await channel.exchangeDeclare({ exchange: name, type, durable, passive: !declare });
  }
  if (queue.declare) await channel.queueDeclare({ queue: queue.name, durable: true, arguments: argumentsOf(queue) });
  else await channel.queueDeclare({ queue: queue.name, passive: true });
  for (const { routing_key, headers } of bindings) {
    const more = headers === undefined ? {} : { arguments: headers };
    await channel.queueBind({ queue: queue.name, exchange: exchange!.name, routingKey: routing_key, ...more });
  }
}

function argumentsOf(queue: RabbitmqSource['consume']['queue']) {
  const { dead_letter_exchange, dead_letter_routing_key, delivery_limit } = queue;
  return {
    'x-queue-type': queue.type,
    ...(queue.single_active_consumer ? { 'x-single-active-consumer': true } : {}),
    ...(dead_letter_exchange === undefined ? {} : { 'x-dead-letter-exchange': dead_letter_exchange }),
    ...(dead_letter_routing_key === undefined ? {} : { 'x-dead-letter-routing-key': dead_letter_routing_key }),
    ...(delivery_limit === undefined ? {} : { 'x-delivery-limit': delivery_limit }),
  };
}
