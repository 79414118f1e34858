import { type API, type Callback, Consumer, type ConsumerOptions, kGetApi } from '@platformatic/kafka';
import { endAnswer, InflationError } from '../brokers/guard-inflation.ts';
import { dropAborted, type FetchedPartition } from './drop-aborted.ts';
import type { FetchCaution } from './fetch-caution.ts';
import { PassedOver } from './passed-over.ts';

interface FetchResponse {
  readonly responses: readonly FetchedTopic[];
}

interface FetchedTopic {
  readonly topicId: string;
  readonly partitions: readonly (FetchedPartition & { readonly partitionIndex: number })[];
}

/** Which parameter of the protocol's call says how much may be fetched; the broker gives a batch at least. */
const MAX_BYTES_AT = 3;
const ONE_BATCH = 1;

/** A consumer to which what a producer took back was never there, and that fetches less at a time where an answer would fill the memory. */
export class CommittedConsumer extends Consumer {
  /** What it was sent and gives no message of. */
  readonly passedOver = new PassedOver();
  readonly #caution: FetchCaution;
  readonly #onFetched: () => void;

  constructor(options: ConsumerOptions<Buffer, Buffer, Buffer, Buffer>, caution: FetchCaution, onFetched: () => void) {
    super(options);
    this.#caution = caution;
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
      const isCareful = this.#caution.isCareful;
      if (isCareful) parameters[MAX_BYTES_AT] = ONE_BATCH;
      return ask(...parameters, (error: unknown, response?: FetchResponse) => {
        endAnswer();
        for (const topic of response?.responses ?? []) this.#look(topic);
        if (error === null || error === undefined) this.#onFetched();
        answered(error instanceof InflationError ? this.#caution.refuse(error, isCareful) : error, response);
      });
    };
    return Object.assign(asked, api) as unknown as Call;
  }

  #look({ topicId, partitions }: FetchedTopic): void {
    for (const partition of partitions) {
      dropAborted(partition);
      this.passedOver.note(topicId, partition.partitionIndex, partition.records ?? []);
    }
  }
}
