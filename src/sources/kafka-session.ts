import { compressionsAlgorithms, Reader } from '@platformatic/kafka';
import { guardInflation } from '../brokers/guard-inflation.ts';
import { cutKafka, guardKafka } from '../brokers/guard-kafka.ts';
import { guardReader } from '../brokers/guard-reader.ts';
import { kafkaClientOptions } from '../brokers/kafka-client-options.ts';
import type { KafkaSource } from '../config/source-schema.ts';
import type { SourceStarts } from '../store/source-starts.ts';
import { CommittedConsumer } from './committed-consumer.ts';
import type { SourceLag } from './consumer.ts';
import { type FetchCaution, partitionKey } from './fetch-caution.ts';
import type { Intake } from './intake.ts';
import { KafkaGeneration } from './kafka-generation.ts';
import { type DeletedStart, groupLag, groupPositions } from './kafka-positions.ts';
import { kafkaStarts, type RecallStarts } from './kafka-starts.ts';
import { goneTopics, idOf, type KafkaTopics, missingTopics, nameOf, sameTopics, TopicFinder } from './kafka-topics.ts';
import { END_MS, type PartitionOffset } from './offset-committer.ts';
import type { OutOfRange } from './out-of-range.ts';
import { Standings } from './standings.ts';

/** How long a member may be silent before its partitions go to others, and how long members have to join a rebalance. */
const SESSION_MS = 10_000;
const REBALANCE_MS = 30_000;
const HEARTBEAT_MS = 2_000;
const LAG_MS = 5_000;
const TOPICS_MS = 15_000;
/** What the log has there is not known. */
const NO_EPOCH = -1;

export interface SessionOptions {
  readonly source: KafkaSource;
  readonly clientId: string;
  readonly intake: Intake;
  readonly recallStarts: RecallStarts;
  /** Outlives the session. */
  readonly caution: FetchCaution;
  /** A fetch was answered, with messages or without. */
  readonly onFetched: () => void;
  readonly isHeld: () => boolean;
  /** Partitions were given to this member: it is at work. */
  readonly onJoined: (missing: readonly string[]) => void;
  readonly onLag: (lag: readonly SourceLag[]) => void;
  /** Messages cannot be stored; null: they can again. */
  readonly onTrouble: (error: unknown) => void;
  readonly onCommitFailure: (error: unknown) => void;
  /** Which topics there are could not be learnt; that is tried again. */
  readonly onLookFailure: (error: unknown) => void;
  /** What comes next in a partition cannot be taken: it is left alone. */
  readonly onHeld: (error: Error) => void;
  /** The group's place in a partition is not in its log. */
  readonly onOutOfRange: (found: OutOfRange) => void;
  /** The group has no place in a partition, and where the source first began was deleted. */
  readonly onStartDeleted: (found: DeletedStart) => void;
  /** A connection broke: what whoever used it is told does not say why. */
  readonly onFault: (error: unknown) => void;
}

/** One membership in the consumer group: from the first connection until something breaks, the topics change or it is told to end. */
export class KafkaSession {
  readonly #options: SessionOptions;
  readonly #finder: TopicFinder;
  readonly #ended = Promise.withResolvers<void>();
  #consumer: CommittedConsumer | null = null;
  #topics: KafkaTopics = new Map();
  #starts: SourceStarts = {};
  #generation: KafkaGeneration | null = null;
  /** Of partitions, by `topic/partition`. */
  readonly #standings = new Standings();
  /** Generations follow each other, never two at once. */
  #turning: Promise<void> = Promise.resolve();
  #positions = new Map<string, bigint>();
  /** How often the group was called to meet, or has met. */
  #meetings = 0;
  /** That after which the generation began: with the next one it may begin nothing more. */
  #met = 0;
  #isOver = false;
  /** While it is doubted that the consumer is a member. */
  #doubt: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    guardReader(Reader);
    guardInflation(compressionsAlgorithms, Reader);
    this.#options = options;
    this.#finder = new TopicFinder(options.source, options.clientId, options.onFault);
    // Whoever waits for it comes later than the first failure may.
    this.#ended.promise.catch(() => {});
  }

  hold(isHeld: boolean): void {
    this.#generation?.hold(isHeld || this.#isMeeting);
  }

  get #isMeeting(): boolean {
    return this.#met !== this.#meetings;
  }

  /** @throws what broke; returns when the signal aborts or the topics have changed, and the next session should begin. */
  async run(signal: AbortSignal): Promise<void> {
    const timers: NodeJS.Timeout[] = [];
    const end = () => {
      this.#ended.resolve();
      timers.push(setTimeout(() => this.#cut(), END_MS));
    };
    signal.addEventListener('abort', end);
    let isBroken = true;
    try {
      // While the client was being loaded, which nobody heard.
      if (signal.aborted) return;
      this.#topics = await this.#finder.find();
      const { source, recallStarts } = this.#options;
      // Before the first look that finds nothing, too: what is made after it is read from its beginning.
      this.#starts = await kafkaStarts(source, this.#finder, this.#topics, recallStarts);
      const missing = missingTopics(source, this.#topics);
      if (this.#topics.size > 0) await this.#join();
      this.#options.onJoined(missing);
      if (!this.#hasPartitions) this.#options.onFetched();
      timers.push(
        setInterval(() => this.#lookForTopics(), TOPICS_MS),
        setInterval(() => this.#lookForLag(), LAG_MS),
      );
      this.#lookForLag();
      if (!signal.aborted) await this.#ended.promise;
      isBroken = false;
    } finally {
      signal.removeEventListener('abort', end);
      await this.#close(isBroken && !signal.aborted);
      clearTimeout(this.#doubt);
      for (const timer of timers) clearInterval(timer);
    }
  }

  async #join(): Promise<void> {
    const { source, clientId, caution, onHeld, onOutOfRange, onFetched } = this.#options;
    const options = {
      ...kafkaClientOptions(source.connection, clientId),
      groupId: source.consume.group,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      autocommit: false,
    };
    const careful = {
      caution,
      nameOf: (id: string) => nameOf(this.#topics, id),
      onHeld,
      onOutOfRange: (found: OutOfRange) => {
        onOutOfRange(found);
        // What came before may wait yet: it is told first.
        if (found.reason === 'deleted')
          consumer.passedOver.skip(idOf(this.#topics, found.topic), found.partition, found.from, found.to);
      },
    };
    const consumer = new CommittedConsumer(options, careful, onFetched);
    guardKafka(consumer, this.#options.onFault);
    this.#consumer = consumer;
    const fail = (error: unknown) => this.#ended.reject(error);
    consumer.on('error', fail);
    consumer.on('consumer:heartbeat:stalled', ({ lastError }) =>
      fail(lastError ?? new Error('The group coordinator is silent.')),
    );
    // From the first word of a rebalance nothing more is begun: whoever is given a partition next comes after what is under way here.
    consumer.on('consumer:group:rebalance', () => {
      this.#meetings++;
      this.hold(true);
    });
    consumer.on('consumer:group:join', () => {
      this.#trust();
      this.#turn(++this.#meetings);
    });
    // Held for the whole session: otherwise each generation that ends would leave the topics, and the next would have to rejoin for them.
    consumer.topics.trackAll(...this.#topics.keys());
    await consumer.joinGroup({});
    await this.#turning;
  }

  /** The group has met anew: what was read under the old assignment is dropped, and the new one is read from where the group is. */
  #turn(meeting: number): void {
    this.#turning = this.#turning
      .then(() => this.#nextGeneration(meeting))
      .catch((error: unknown) => this.#ended.reject(error));
  }

  async #nextGeneration(meeting: number): Promise<void> {
    const consumer = this.#consumer;
    const { caution, intake, isHeld, onTrouble, onFault, onStartDeleted } = this.#options;
    await this.#generation?.close();
    this.#generation = null;
    this.#met = meeting;
    // What it could not store is read again, by whoever is given the partition.
    onTrouble(null);
    if (consumer === null) return;
    caution.assign(this.#assigned(consumer, (topic) => idOf(this.#topics, topic)));
    this.#standings.keep(this.#assigned(consumer, (topic) => topic));
    this.#positions = await groupPositions(consumer, this.#topics, this.#starts, onStartDeleted);
    const generation = new KafkaGeneration({
      consumer,
      topics: this.#topics,
      intake,
      isHeld: isHeld() || this.#isMeeting,
      standings: this.#standings,
      onOffset: ({ topic, partition, offset }: PartitionOffset) => this.#positions.set(`${topic}/${partition}`, offset),
      onTrouble,
      onCommitFailure: (error) => this.#failCommit(consumer, error),
      onFault,
      onBroken: (error) => this.#ended.reject(error),
    });
    this.#generation = generation;
    await generation.open();
    this.hold(isHeld());
    if (!this.#hasPartitions) this.#options.onFetched();
  }

  /**
   * Over some failures the client joins the group anew, for as long as a rebalance may take. Where that has failed too it is a member no
   * more, sends no heartbeat, and says so to nobody else.
   */
  #failCommit(consumer: CommittedConsumer, error: unknown): void {
    this.#options.onCommitFailure(error);
    if (this.#isOver || consumer.isActive() || this.#doubt !== undefined) return;
    this.#doubt = setTimeout(() => {
      this.#doubt = undefined;
      if (!consumer.isActive()) this.#ended.reject(error);
    }, REBALANCE_MS + END_MS);
  }

  /** It is a member, whatever went before. */
  #trust(): void {
    clearTimeout(this.#doubt);
    this.#doubt = undefined;
  }

  /** @returns keys as of `partitionKey`, of topics that are called so */
  #assigned(consumer: CommittedConsumer, called: (topic: string) => string): ReadonlySet<string> {
    const keys = (consumer.assignments ?? []).flatMap(({ topic, partitions }) =>
      partitions.map((partition) => partitionKey(called(topic), partition)),
    );
    return new Set(keys);
  }

  /** Without any there is nothing to fetch, and that the group has met is all that can be shown. */
  get #hasPartitions(): boolean {
    return (this.#consumer?.assignments ?? []).some(({ partitions }) => partitions.length > 0);
  }

  #lookForTopics(): void {
    this.#finder.find().then(
      (found) => {
        if (sameTopics(found, this.#topics)) return;
        this.#generation?.forget(goneTopics(this.#topics, found));
        this.#ended.resolve();
      },
      (error: unknown) => {
        // A member finds out by itself whether its broker is there. Without a topic there is none, and nothing else that would.
        if (this.#consumer === null) this.#ended.reject(error);
        else if (!this.#isOver) this.#options.onLookFailure(error);
      },
    );
  }

  #lookForLag(): void {
    const consumer = this.#consumer;
    const topics = consumer?.assignments?.map(({ topic }) => topic) ?? [];
    if (consumer === null || topics.length === 0) {
      this.#options.onLag([]);
      return;
    }
    this.#passOver(consumer);
    groupLag(consumer, topics, this.#positions).then(
      (lag) => this.#options.onLag(lag),
      // What is wrong with the broker the stream finds out.
      () => {},
    );
  }

  /** What is no message is not behind: otherwise a partition that ends in one would look so for as long as nothing more comes. */
  #passOver({ passedOver }: CommittedConsumer): void {
    for (const [part, position] of this.#positions) {
      const slash = part.lastIndexOf('/');
      const [topic, partition] = [part.slice(0, slash), Number(part.slice(slash + 1))];
      const offset = passedOver.after(idOf(this.#topics, topic), partition, position);
      if (offset !== position) this.#generation?.reach({ topic, partition, offset, leaderEpoch: NO_EPOCH });
    }
  }

  /** Whatever waits for the broker fails. What is being taken in is not touched. */
  #cut(): void {
    this.#finder.cut();
    if (this.#consumer !== null) cutKafka(this.#consumer);
  }

  async #close(isBroken: boolean): Promise<void> {
    const consumer = this.#consumer;
    this.#isOver = true;
    await this.#turning;
    await this.#generation?.close(isBroken);
    this.#generation = null;
    this.#consumer = null;
    await Promise.all([this.#finder.close().catch(() => {}), consumer?.close(true).catch(() => {})]);
  }
}
