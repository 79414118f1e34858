import type { SourceInput } from '../config/source-schema.ts';
import type { Consumer } from './consumer.ts';
import type { DeadLetterPublisher } from './dead-letter-publisher.ts';
import type { OnHolding } from './fetch-caution.ts';
import type { Intake } from './intake.ts';
import { createKafkaConsumer } from './kafka-consumer.ts';
import { createKafkaDeadLetters } from './kafka-dead-letters.ts';
import type { DeletedStart } from './kafka-positions.ts';
import type { RecallStarts } from './kafka-starts.ts';
import type { OutOfRange } from './out-of-range.ts';
import { RabbitmqConsumer } from './rabbitmq-consumer.ts';
import { createRabbitmqDeadLetters } from './rabbitmq-dead-letters.ts';
import { KEPT_BYTES } from './rejected-message.ts';

export interface TransportOptions {
  /** What the broker sees of us. */
  readonly clientId: string;
  readonly intake: Intake;
  readonly recallStarts: RecallStarts;
  readonly maxEventBytes: number;
  readonly onFailure: (error: unknown) => void;
  /** Of Kafka: the group's place in a partition is not in its log. */
  readonly onOutOfRange: (found: OutOfRange) => void;
  /** Of Kafka: the group has no place in a partition, and where the source first began was deleted. */
  readonly onStartDeleted: (found: DeletedStart) => void;
  /** Of Kafka: partitions that are left alone, by one more or less. */
  readonly onHolding: OnHolding;
}

/** How a source's broker is spoken to. */
export interface Transport {
  readonly consumer: Consumer;
  /** null: rejected messages are published nowhere. */
  readonly deadLetters: DeadLetterPublisher | null;
}

/** The transport of a source, by its type. Opens no connection before the consumer runs. */
export function openTransport(source: SourceInput, options: TransportOptions): Transport {
  switch (source.type) {
    case 'kafka':
      return {
        consumer: createKafkaConsumer({ source, ...options }),
        deadLetters: source.on_rejected === undefined ? null : createKafkaDeadLetters(source, options.clientId),
      };
    case 'rabbitmq':
      return {
        consumer: new RabbitmqConsumer({
          source,
          intake: options.intake,
          // More than any event may have and than is kept of what is rejected.
          keepBytes: Math.max(options.maxEventBytes, KEPT_BYTES) + 1,
        }),
        deadLetters: source.on_rejected === undefined ? null : createRabbitmqDeadLetters(source),
      };
  }
}
