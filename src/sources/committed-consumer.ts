import { type API, type Callback, Consumer, kGetApi } from '@platformatic/kafka';
import { dropAborted, type FetchedPartition } from './drop-aborted.ts';
import { PassedOver } from './passed-over.ts';

interface FetchResponse {
  readonly responses: readonly FetchedTopic[];
}

interface FetchedTopic {
  readonly topicId: string;
  readonly partitions: readonly (FetchedPartition & { readonly partitionIndex: number })[];
}

/** A consumer to which what a producer took back was never there. */
export class CommittedConsumer extends Consumer {
  /** What it was sent and gives no message of. */
  readonly passedOver = new PassedOver();

  override [kGetApi]<RequestArguments extends unknown[], ResponseType>(
    name: string,
    callback: Callback<API<RequestArguments, ResponseType>>,
  ): void {
    super[kGetApi]<RequestArguments, ResponseType>(name, (error, api) => {
      callback(error, (api && name === 'Fetch' ? lookingThrough(api, (topic) => this.#look(topic)) : api)!);
    });
  }

  #look({ topicId, partitions }: FetchedTopic): void {
    for (const partition of partitions) {
      dropAborted(partition);
      this.passedOver.note(topicId, partition.partitionIndex, partition.records ?? []);
    }
  }
}

/** The call of the protocol, whose answer is gone through before the client sees it. */
function lookingThrough<Call extends object>(api: Call, look: (topic: FetchedTopic) => void): Call {
  const ask = api as unknown as (...parameters: unknown[]) => unknown;
  const asked = (...parameters: unknown[]) => {
    const answered = parameters.pop() as (error: unknown, response?: FetchResponse) => void;
    return ask(...parameters, (error: unknown, response?: FetchResponse) => {
      response?.responses.forEach(look);
      answered(error, response);
    });
  };
  return Object.assign(asked, api) as unknown as Call;
}
