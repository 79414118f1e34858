import type { KafkaMessage } from '../prepare.ts';
import type { Sender } from '../sender.ts';
import { type BrokerSenderOptions, createBrokerSender } from './broker-sender.ts';
import { KafkaLine } from './kafka-line.ts';

/** Sends to topics of Kafka. */
export function createKafkaSender(options: BrokerSenderOptions): Sender<KafkaMessage> {
  return createBrokerSender<KafkaMessage>((destination) => new KafkaLine(destination, options), options);
}
