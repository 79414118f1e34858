import { cutKafka, guardKafka } from '../brokers/guard-kafka.ts';
import { kafkaClientOptions } from '../brokers/kafka-client-options.ts';
import type { KafkaSource } from '../config/source-schema.ts';
import type { SourceStarts } from '../store/source-starts.ts';
import { TopicAdmin } from './topic-admin.ts';

export interface KafkaTopic {
  /** Another one when the topic is deleted and made anew. */
  readonly id: string;
  readonly partitions: number;
}

/** The topics that a source consumes and the cluster has. */
export type KafkaTopics = ReadonlyMap<string, KafkaTopic>;

/** Looks which topics there are that the source names or that match its pattern. */
export class TopicFinder {
  readonly #source: KafkaSource;
  readonly #admin: TopicAdmin;

  constructor(source: KafkaSource, clientId: string, onFault: (error: unknown) => void) {
    this.#source = source;
    this.#admin = new TopicAdmin(kafkaClientOptions(source.connection, clientId));
    guardKafka(this.#admin, onFault);
  }

  /** @throws Error where topics cannot be listed, or have no ids of their own */
  async find(): Promise<KafkaTopics> {
    const isWanted = wantedBy(this.#source);
    const wanted = (await this.#admin.listTopics({ includeInternals: false })).filter(isWanted);
    if (wanted.length === 0) return new Map();
    const metadata = await this.#admin.metadata({ topics: wanted, forceUpdate: true });
    const topics = new Map(
      [...metadata.topics].map(([topic, { id, partitionsCount }]) => [topic, { id, partitions: partitionsCount }]),
    );
    requireIds(topics);
    return topics;
  }

  /** Another one when the addresses lead to another cluster. */
  async clusterId(): Promise<string> {
    return (await this.#admin.metadata({ topics: [] })).id;
  }

  /** Where each partition ends, by the topic's id. */
  async ends(topics: KafkaTopics): Promise<SourceStarts> {
    if (topics.size === 0) return {};
    const asked = [...topics].map(([name, { partitions }]) => ({
      name,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: LATEST })),
    }));
    const found = await this.#admin.listOffsets({ topics: asked });
    return Object.fromEntries(found.map(({ name, partitions }) => [topics.get(name)!.id, inOrder(partitions)]));
  }

  close(): Promise<void> {
    return this.#admin.close();
  }

  /** Ends what is being looked for, too. */
  cut(): void {
    cutKafka(this.#admin);
  }
}

const LATEST = -1n;

const NO_ID = /^[0-]*$/;

/**
 * Brokers give ids from Kafka 2.8 on; before, the client has zeros or the name. By those a message of one topic would count as one of another,
 * or of the same topic before it was made anew, and be passed over as known.
 */
function requireIds(topics: KafkaTopics): void {
  const ids = new Set<string>();
  for (const [name, { id = '' }] of topics) {
    if (NO_ID.test(id) || id === name || ids.has(id))
      throw new Error(
        `The brokers give the topic ${name} no id of its own: sources need Kafka 3.5 or newer, with an inter.broker.protocol.version of 2.8 or newer.`,
      );
    ids.add(id);
  }
}

function inOrder(
  partitions: readonly { readonly partitionIndex: number; readonly offset: bigint }[],
): readonly string[] {
  const ends: string[] = [];
  for (const { partitionIndex, offset } of partitions) ends[partitionIndex] = String(offset);
  return ends;
}

/** Kafka's own topics and those of tools around it begin with _. */
function wantedBy({ consume: { topics, pattern }, on_rejected }: KafkaSource): (topic: string) => boolean {
  if (pattern === undefined) return (topic) => topics?.includes(topic) === true;
  const matches = new RegExp(`^(?:${pattern})$`, 'v');
  // What it rejects would come back, be rejected and be published again, for ever.
  return (topic) => !topic.startsWith('_') && topic !== on_rejected?.dead_letter_topic && matches.test(topic);
}

/** Names that the source asks for and the cluster does not have. */
export function missingTopics({ consume }: KafkaSource, found: KafkaTopics): readonly string[] {
  return (consume.topics ?? []).filter((topic) => !found.has(topic));
}

export function sameTopics(a: KafkaTopics, b: KafkaTopics): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, { id, partitions }]) => b.get(name)?.id === id && b.get(name)?.partitions === partitions)
  );
}

/** Names that were of other topics before, or of none now. */
export function goneTopics(before: KafkaTopics, now: KafkaTopics): readonly string[] {
  return [...before].filter(([name, { id }]) => now.get(name)?.id !== id).map(([name]) => name);
}

/** @returns the id of a topic that is called so; empty for none */
export function idOf(topics: KafkaTopics, name: string): string {
  return topics.get(name)?.id ?? '';
}

/** @returns the name of the topic with that id; the id itself for none */
export function nameOf(topics: KafkaTopics, topicId: string): string {
  for (const [name, { id }] of topics) if (id === topicId) return name;
  return topicId;
}
