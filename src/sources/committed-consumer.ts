import { type API, type Callback, type ConsumerOptions, kGetApi } from '@platformatic/kafka';
import { endAnswer } from '../brokers/guard-inflation.ts';
import type { CarefulOptions } from './careful-consumer.ts';
import { dropAborted, type FetchedPartition } from './drop-aborted.ts';
import { MemberConsumer } from './member-consumer.ts';
import { ownBytes, type ReadRecord } from './own-bytes.ts';
import { PassedOver } from './passed-over.ts';

interface FetchResponse {
  readonly responses: readonly FetchedTopic[];
}

interface FetchedTopic {
  readonly topicId: string;
  readonly partitions: readonly (FetchedPartition & {
    readonly partitionIndex: number;
    readonly records?: readonly { readonly records: readonly ReadRecord[] }[] | null;
  })[];
}

/** A consumer to which what a producer took back was never there. */
export class CommittedConsumer extends MemberConsumer {
  /** What it was sent and gives no message of. */
  readonly passedOver = new PassedOver();
  readonly #onFetched: () => void;

  constructor(
    options: ConsumerOptions<Buffer, Buffer, Buffer, Buffer>,
    careful: CarefulOptions,
    onFetched: () => void,
  ) {
    super(options, careful);
    this.#onFetched = onFetched;
  }

  override [kGetApi]<RequestArguments extends unknown[], ResponseType>(
    name: string,
    callback: Callback<API<RequestArguments, ResponseType>>,
  ): void {
    super[kGetApi]<RequestArguments, ResponseType>(name, (error, api) => {
      callback(error, (api && name === 'Fetch' ? this.#lookingThrough(api) : api)!);
    });
  }

  /** The call of the protocol, whose answer is gone through before the client sees it. */
  #lookingThrough<Call extends object>(api: Call): Call {
    const ask = api as unknown as (...parameters: unknown[]) => unknown;
    const asked = (...parameters: unknown[]) => {
      const answered = parameters.pop() as (error: unknown, response?: FetchResponse) => void;
      return ask(...parameters, (error: unknown, response?: FetchResponse) => {
        endAnswer();
        for (const topic of response?.responses ?? []) this.#look(topic);
        if (error === null || error === undefined) this.#onFetched();
        answered(error, response);
      });
    };
    return Object.assign(asked, api) as unknown as Call;
  }

  #look({ topicId, partitions }: FetchedTopic): void {
    for (const partition of partitions) {
      dropAborted(partition);
      this.passedOver.note(topicId, partition.partitionIndex, partition.records ?? []);
      if (this.room.isWaiting) ownBytes(partition.records ?? []);
    }
  }
}
