import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { type RabbitmqSource, sourceInput } from '../../src/config/source-schema.ts';
import type { IncomingMessage } from '../../src/sources/intake.ts';
import { RabbitmqConsumer } from '../../src/sources/rabbitmq-consumer.ts';
import { eventually } from './eventually.ts';

type Take = (messages: readonly IncomingMessage[]) => void | Promise<void>;

/**
 * Consumes a queue of a name of its own as a process does, until the test ends.
 * @param take stands for the intake
 * @param consumed over what the source has as `consume`
 * @param more over the rest of the source
 */
export function consumeRabbitmq(
  url: string,
  take: Take,
  consumed: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
) {
  const { queue: ofQueue, ...rest } = consumed as { queue?: object };
  const name = `queue-${randomBytes(6).toString('hex')}`;
  const source = sourceInput.parse({
    type: 'rabbitmq',
    name,
    mapping: { format: 'envelope' },
    connection: { url },
    consume: { queue: { name, ...ofQueue }, ...rest },
    ...more,
  }) as RabbitmqSource;
  const taken: IncomingMessage[] = [];
  const intake = async (messages: readonly IncomingMessage[]) => {
    await take(messages);
    taken.push(...messages);
  };
  const begin = () => {
    const consumer = new RabbitmqConsumer({ source, intake, keepBytes: 1024 * 1024 });
    const abort = new AbortController();
    const ran = consumer.run(abort.signal);
    const end = async () => {
      abort.abort();
      await ran;
    };
    onTestFinished(end);
    return { consumer, end };
  };
  return {
    ...begin(),
    /** Another consumer of the same queue. */
    again: begin,
    taken,
    queue: source.consume.queue.name,
    texts: () => taken.map(({ body }) => Buffer.from(body).toString()),
  };
}

export async function isRunning(consumer: RabbitmqConsumer): Promise<void> {
  await eventually(
    async () => consumer.state(),
    ({ kind }) => kind === 'running',
  );
}
