import { askBrokerHost } from './ask-broker-host.ts';
import { connectKafka, type KafkaClient } from './kafka-client.ts';

/** A Kafka that other files use at the same time: topics, groups and transactions need names of their own, and it must go on running. */
export interface SharedKafka extends KafkaClient {
  /** `127.0.0.1:port`, in clear text. */
  readonly broker: string;
  /** The same of another listener of those in `broker-host.ts`. */
  brokerOf(listener: string): string;
}

/** @throws Error where `requireKafka` would skip */
export async function sharedKafka(): Promise<SharedKafka> {
  const { broker, brokers } = await askBrokerHost('/kafka');
  const brokerOf = (listener: string) => {
    const address = brokers[listener];
    if (address === undefined) throw new Error(`Kafka has no listener ${listener}`);
    return address;
  };
  return { ...connectKafka(broker), broker, brokerOf };
}
