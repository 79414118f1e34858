import type { KafkaSource } from '../config/source-schema.ts';
import type { SourceStarts } from '../store/source-starts.ts';
import type { KafkaTopics, TopicFinder } from './kafka-topics.ts';

/** Keeps where partitions ended when a source first began: `look` is asked the first time alone, whichever process it is. */
export type RecallStarts = (scope: string, look: () => Promise<SourceStarts>) => Promise<SourceStarts>;

/**
 * Where to begin in partitions that the group has not read. Those that are absent were made after the source first began, and are read from
 * their beginning: nothing that came in the seconds until they were found is passed over.
 */
export async function kafkaStarts(
  { consume }: KafkaSource,
  finder: TopicFinder,
  topics: KafkaTopics,
  recall: RecallStarts,
): Promise<SourceStarts> {
  const { start, group, pattern, topics: names } = consume;
  if (start === 'earliest') return {};
  // Of another cluster, another group or other topics nothing is known: they begin with what comes next, too.
  const scope = JSON.stringify([await finder.clusterId(), group, pattern ?? [...names!].sort()]);
  return recall(scope, () => finder.ends(topics));
}
