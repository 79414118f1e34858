import type { Consumer } from '@platformatic/kafka';

/** What Kafka is asked for as a time: behind the last message of a log, and the first. */
export const LATEST = -1n;
export const EARLIEST = -2n;

/** A partition, by the name of its topic. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Asks for an offset in the logs of some partitions, all at once. @returns in their order; undefined where the broker gives none */
export async function logOffsets(
  consumer: Pick<Consumer, 'listOffsets'>,
  places: readonly Place[],
  timestamp: bigint,
): Promise<readonly (bigint | undefined)[]> {
  const named = Map.groupBy(places, ({ topic }) => topic);
  const partitions = Object.fromEntries(
    [...named].map(([topic, ofTopic]) => [topic, ofTopic.map(({ partition }) => partition)]),
  );
  const offsets = await consumer.listOffsets({ topics: [...named.keys()], partitions, timestamp });
  return places.map(({ topic, partition }) => offsets.get(topic)?.[partition]);
}
