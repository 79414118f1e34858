import type { Consumer } from '@platformatic/kafka';
import type { SourceStarts } from '../store/source-starts.ts';
import type { SourceLag } from './consumer.ts';
import type { KafkaTopics } from './kafka-topics.ts';
import type { MemberConsumer } from './member-consumer.ts';

const LATEST = -1n;
const EARLIEST = -2n;

/**
 * Where the group is in each partition that the consumer was given, by `topic/partition`. Where it has been nowhere and a start is known,
 * that place is committed now: it stays the start though the group is rebalanced before the first message is taken in.
 * @param starts where it begins, by topic id and partition; absent: with the first message there is
 */
export async function groupPositions(
  consumer: MemberConsumer,
  topics: KafkaTopics,
  starts: SourceStarts,
): Promise<Map<string, bigint>> {
  const { membership } = consumer;
  const assignments = consumer.assignments ?? [];
  const positions = new Map<string, bigint>();
  if (assignments.length === 0) return positions;
  const committed = await consumer.listCommittedOffsets({ topics: assignments });
  const places = assignments.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
  const begun = [];
  const whole = [];
  for (const { topic, partition } of places) {
    const offset = committed.get(topic)?.[partition] ?? -1n;
    const start = starts[topics.get(topic)?.id ?? '']?.[partition];
    if (offset >= 0n) positions.set(`${topic}/${partition}`, offset);
    else if (start === undefined) whole.push({ topic, partition });
    else begun.push({ topic, partition, offset: BigInt(start), leaderEpoch: -1 });
  }
  if (begun.length > 0) await consumer.tell(begun, membership);
  for (const { topic, partition, offset } of begun) positions.set(`${topic}/${partition}`, offset);
  if (whole.length === 0) return positions;
  const names = [...new Set(whole.map(({ topic }) => topic))];
  const firsts = await consumer.listOffsets({ topics: names, timestamp: EARLIEST });
  for (const { topic, partition } of whole)
    positions.set(`${topic}/${partition}`, firsts.get(topic)?.[partition] ?? 0n);
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
