import { DeliveryFailure, unreachable } from '../classify.ts';

interface Metadata {
  readonly brokers: readonly unknown[];
  topics: readonly { readonly name: string | null }[];
}

type Answered = (error: unknown, response?: Metadata) => void;

/** No cluster is so large. */
const MAX_BROKERS = 1_000;
const TOO_MANY_BROKERS = `the broker names more than ${MAX_BROKERS} others`;

/**
 * The protocol's call for metadata, whose answer has the topics that were asked for and no others: the client keeps all that it is ever told of
 * for as long as it lives, and a broker may name new ones in every answer.
 */
export function onlyAsked<Call extends object>(api: Call): Call {
  const ask = api as unknown as (...given: unknown[]) => unknown;
  const asked = (...given: unknown[]) => {
    const answered = given.pop() as Answered;
    const topics = new Set(given[1] as readonly string[]);
    return ask(...given, (error: unknown, response?: Metadata) => {
      if (error || response === undefined) answered(error, response);
      else if (response.brokers.length > MAX_BROKERS)
        answered(new DeliveryFailure(unreachable('protocol', TOO_MANY_BROKERS)));
      else {
        response.topics = response.topics.filter(({ name }) => name !== null && topics.has(name));
        answered(null, response);
      }
    });
  };
  return Object.assign(asked, api) as unknown as Call;
}
