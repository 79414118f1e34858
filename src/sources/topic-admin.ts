import { Admin, type API, type Callback, kGetApi } from '@platformatic/kafka';

type Answered = (error: unknown, response?: unknown) => void;

interface PartialFailure {
  readonly errors: readonly { readonly path?: string }[];
  readonly response: unknown;
}

/** An admin that lists the topics of a cluster also while some partition of it, of whichever topic, has no leader. */
export class TopicAdmin extends Admin {
  override [kGetApi]<RequestArguments extends unknown[], ResponseType>(
    name: string,
    callback: Callback<API<RequestArguments, ResponseType>>,
  ): void {
    super[kGetApi]<RequestArguments, ResponseType>(name, (error, api) => {
      callback(error, (api && name === 'Metadata' ? inSpiteOfPartitions(api) : api)!);
    });
  }
}

/**
 * The protocol's call for metadata: where all topics are asked for, and nothing is wrong but with partitions, the answer holds. The client takes
 * any partition's error for one of the whole. Of topics that are asked for by name it stays one: the client would look for the leader there.
 */
function inSpiteOfPartitions<Call extends object>(api: Call): Call {
  const ask = api as unknown as (...given: unknown[]) => unknown;
  const asked = (...given: unknown[]) => {
    const answered = given.pop() as Answered;
    const isListing = given[1] === null;
    return ask(...given, (error: unknown, response?: unknown) => {
      if (isListing && isOfPartitions(error)) answered(null, error.response);
      else answered(error, response);
    });
  };
  return Object.assign(asked, api) as unknown as Call;
}

/** The client says where in the answer each error was, and keeps the answer. */
const OF_A_PARTITION = /^\/topics\/\d+\/partitions\/\d+$/;

function isOfPartitions(error: unknown): error is PartialFailure {
  const { errors = [], response } = (error ?? {}) as Partial<PartialFailure>;
  const isAny = response !== undefined && errors.length > 0;
  return isAny && errors.every(({ path = '' }) => OF_A_PARTITION.test(path));
}
