import { failedFetchIn } from './failed-fetch.ts';
import { partitionKey, type WantedPartition, type WantedTopic } from './fetch-caution.ts';

/** A partition in whose log the group's place is not, or not any more. */
export interface OutOfRange {
  readonly topic: string;
  readonly partition: number;
  /**
   * `deleted`: retention took what was not read, from the place up to `to`, the first message that there is. `cut_off`: the log ended at `to`,
   * before the place: the broker has lost what was read.
   */
  readonly reason: 'deleted' | 'cut_off';
  readonly from: bigint;
  readonly to: bigint;
  /** Where a log that was cut off ends now, if it has grown up to the place or past it since: then it ended at `to` or before. */
  readonly grownTo?: bigint;
}

/** Of an answer, a partition that was asked for at a place that it does not have. */
export interface Stray {
  readonly topicId: string;
  readonly wanted: WantedPartition;
  /** Read by the client: `errorCode` 0 leaves its place as it is, otherwise it goes on at `logStartOffset`. */
  readonly answer: { errorCode: number; logStartOffset: bigint };
}

/** An answer with such partitions. */
export interface Straying {
  /** What failed last, as the stream looks at it: without what failed before and was tried again. */
  readonly error: Error;
  readonly strays: readonly Stray[];
  /** Something else is wrong with it as well: the stream ends over that, whatever becomes of these. */
  readonly isMixed: boolean;
}

/** Kafka's number of OFFSET_OUT_OF_RANGE. */
const OUT_OF_RANGE = 1;

/** Which partitions a fetch failed for in that way, be it only when it was tried again; null: for none. */
export function strayingIn(error: unknown, asked: readonly WantedTopic<WantedPartition>[]): Straying | null {
  const failed = failedFetchIn(error);
  if (failed === null) return null;
  const wanted = new Map<string, WantedPartition>();
  for (const { topicId, partitions } of asked)
    for (const one of partitions) wanted.set(partitionKey(topicId, one.partition), one);
  const strays: Stray[] = [];
  let isMixed = false;
  for (const { topicId, partitions } of failed.response?.responses ?? [])
    for (const answer of partitions) {
      if (answer.errorCode === 0) continue;
      const own = wanted.get(partitionKey(topicId, answer.partitionIndex));
      if (answer.errorCode !== OUT_OF_RANGE || own === undefined) isMixed = true;
      else strays.push({ topicId, wanted: own, answer });
    }
  return strays.length === 0 ? null : { error: failed, strays, isMixed };
}

/**
 * What is wrong with a place of which the partition's leader has said that it is not there; we name no rack, so no follower is asked. Where
 * a log begins only grows: if it begins at the place or before, it has ended before it, however far it goes when it is looked at. To be held
 * for nothing, by a leader that did not know yet that it is none, costs an operator a look; to go on would be to pass over what came since.
 * @param first of the log's messages
 * @param end behind the last
 * @returns null for a first place of all: that is always there
 */
export function judge(
  { fetchOffset: from, partition }: WantedPartition,
  topic: string,
  first: bigint,
  end: bigint,
): OutOfRange | null {
  const place = { topic, partition, from };
  if (from < first) return { ...place, reason: 'deleted', to: first };
  if (from === 0n) return null;
  if (from > end) return { ...place, reason: 'cut_off', to: end };
  return { ...place, reason: 'cut_off', to: from - 1n, grownTo: end };
}

/** What an operator is told of a log that was cut off. */
export function cutOffText({ topic, partition, from, to, grownTo }: OutOfRange): string {
  const ended = grownTo === undefined ? `ends at ${to}` : `ended before that and has grown to ${grownTo} since`;
  const passed = grownTo === undefined ? `once the partition has grown past ${from}, ` : '';
  return `The group is at offset ${from} in ${topic}/${partition}, but the partition ${ended}: the broker has lost messages that were taken, the topic was deleted and made anew, or the group was set there. Nothing more is taken of it until the group is set to where to go on (docs/sources.md). Do not start anew before: ${passed}what comes before ${from} is passed over.`;
}
