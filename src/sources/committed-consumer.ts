import { type API, type Callback, Consumer, kGetApi } from '@platformatic/kafka';
import { dropAborted, type FetchedPartition } from './drop-aborted.ts';

interface FetchResponse {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
}

/** A consumer to which what a producer took back was never there. */
export class CommittedConsumer extends Consumer {
  override [kGetApi]<RequestArguments extends unknown[], ResponseType>(
    name: string,
    callback: Callback<API<RequestArguments, ResponseType>>,
  ): void {
    super[kGetApi]<RequestArguments, ResponseType>(name, (error, api) => {
      callback(error, (api && name === 'Fetch' ? dropping(api) : api)!);
    });
  }
}

/** The call of the protocol, whose answer is gone through before the client sees it. */
function dropping<Call extends object>(api: Call): Call {
  const ask = api as unknown as (...parameters: unknown[]) => unknown;
  const asked = (...parameters: unknown[]) => {
    const answered = parameters.pop() as (error: unknown, response?: FetchResponse) => void;
    return ask(...parameters, (error: unknown, response?: FetchResponse) => {
      for (const { partitions } of response?.responses ?? []) partitions.forEach(dropAborted);
      answered(error, response);
    });
  };
  return Object.assign(asked, api) as unknown as Call;
}
