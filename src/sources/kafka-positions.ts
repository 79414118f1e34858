import type { Consumer } from '@platformatic/kafka';
import type { KafkaSource } from '../config/source-schema.ts';
import type { SourceLag } from './consumer.ts';

const LATEST = -1n;
const EARLIEST = -2n;

/**
 * Where the group is in each partition that the consumer was given, by `topic/partition`. Where it has been nowhere and is to begin with what
 * comes next, that place is committed now: otherwise a rebalance before the first message is taken in would begin later, and pass over it.
 */
export async function groupPositions(
  consumer: Consumer,
  begin: KafkaSource['consume']['start'],
): Promise<Map<string, bigint>> {
  const assignments = consumer.assignments ?? [];
  const positions = new Map<string, bigint>();
  if (assignments.length === 0) return positions;
  const committed = await consumer.listCommittedOffsets({ topics: assignments });
  const places = assignments.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
  const fresh = [];
  for (const { topic, partition } of places) {
    const offset = committed.get(topic)?.[partition] ?? -1n;
    positions.set(`${topic}/${partition}`, offset);
    if (offset < 0n) fresh.push({ topic, partition });
  }
  if (fresh.length === 0) return positions;
  const timestamp = begin === 'latest' ? LATEST : EARLIEST;
  const starts = await consumer.listOffsets({ topics: [...new Set(fresh.map(({ topic }) => topic))], timestamp });
  const offsets = fresh.map((place) => ({
    ...place,
    offset: starts.get(place.topic)?.[place.partition] ?? 0n,
    leaderEpoch: -1,
  }));
  if (begin === 'latest') await consumer.commit({ offsets });
  for (const { topic, partition, offset } of offsets) positions.set(`${topic}/${partition}`, offset);
  return positions;
}

/** How far each partition is behind its end. */
export async function groupLag(
  consumer: Consumer,
  topics: string[],
  positions: ReadonlyMap<string, bigint>,
): Promise<readonly SourceLag[]> {
  const ends = await consumer.listOffsets({ topics, timestamp: LATEST });
  return [...positions].map(([part, position]) => {
    const slash = part.lastIndexOf('/');
    const end = ends.get(part.slice(0, slash))?.[Number(part.slice(slash + 1))];
    return { part, messages: end === undefined ? null : Math.max(0, Number(end - position)) };
  });
}
