import type { Consumer } from '@platformatic/kafka';
import type { SourceStarts } from '../store/source-starts.ts';
import type { SourceLag } from './consumer.ts';
import { idOf, type KafkaTopics } from './kafka-topics.ts';
import { EARLIEST, LATEST, logOffsets, type Place } from './log-offsets.ts';
import type { MemberConsumer } from './member-consumer.ts';

/** Where a source first began in a partition, `from`, which retention has deleted since: it begins at `to`, the first message there is. */
export interface DeletedStart extends Place {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Where the group is in each partition that the consumer was given, by `topic/partition`. Where it has been nowhere and a start is known,
 * that place is committed now: it stays the start though the group is rebalanced before the first message is taken in.
 * @param starts where it begins, by topic id and partition; absent: with the first message there is
 * @param onStartDeleted a start may be months old, and Kafka may have forgotten where the group was: what was deleted meanwhile is no loss that
 * anybody could tell from what was taken
 */
export async function groupPositions(
  consumer: MemberConsumer,
  topics: KafkaTopics,
  starts: SourceStarts,
  onStartDeleted: (found: DeletedStart) => void,
): Promise<Map<string, bigint>> {
  const { membership } = consumer;
  const assignments = consumer.assignments ?? [];
  const positions = new Map<string, bigint>();
  if (assignments.length === 0) return positions;
  const committed = await consumer.listCommittedOffsets({ topics: assignments });
  const places = assignments.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
  const fresh: Place[] = [];
  for (const { topic, partition } of places) {
    const offset = committed.get(topic)?.[partition] ?? -1n;
    if (offset >= 0n) positions.set(`${topic}/${partition}`, offset);
    else fresh.push({ topic, partition });
  }
  if (fresh.length === 0) return positions;
  const firsts = await logOffsets(consumer, fresh, EARLIEST);
  const begun = [];
  const deleted: DeletedStart[] = [];
  for (const [i, { topic, partition }] of fresh.entries()) {
    const to = firsts[i] ?? 0n;
    const start = starts[idOf(topics, topic)]?.[partition];
    const from = start === undefined ? to : BigInt(start);
    const offset = from < to ? to : from;
    positions.set(`${topic}/${partition}`, offset);
    if (start !== undefined) begun.push({ topic, partition, offset, leaderEpoch: -1 });
    if (from < to) deleted.push({ topic, partition, from, to });
  }
  if (begun.length > 0) await consumer.tell(begun, membership);
  for (const one of deleted) onStartDeleted(one);
  return positions;
}

/** How far each partition is behind its end; not known of one that ends before its place. */
export async function groupLag(
  consumer: Consumer,
  topics: string[],
  positions: ReadonlyMap<string, bigint>,
): Promise<readonly SourceLag[]> {
  // As they are now: what comes meanwhile may be behind the ends that are told.
  const places = [...positions];
  const ends = await consumer.listOffsets({ topics, timestamp: LATEST });
  return places.map(([part, position]) => {
    const slash = part.lastIndexOf('/');
    const end = ends.get(part.slice(0, slash))?.[Number(part.slice(slash + 1))];
    return { part, messages: end === undefined || end < position ? null : Number(end - position) };
  });
}
