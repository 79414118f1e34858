import type { RabbitmqMessage } from '../prepare.ts';
import type { Sender } from '../sender.ts';
import { type BrokerSenderOptions, createBrokerSender } from './broker-sender.ts';
import { RabbitmqLine } from './rabbitmq-line.ts';

/** Sends to exchanges of RabbitMQ. */
export function createRabbitmqSender(options: BrokerSenderOptions): Sender<RabbitmqMessage> {
  return createBrokerSender<RabbitmqMessage>((destination) => new RabbitmqLine(destination, options), options);
}
