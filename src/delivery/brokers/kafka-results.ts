import { protocolErrorsCodesById } from '@platformatic/kafka';
import { classifyKafkaCode } from './classify-kafka.ts';
import type { BrokerReport } from './shipment.ts';

/** What became of the messages for one partition, which are stored together or not at all. */
export type PartitionResult =
  /** The first of them is at this offset, the others follow. */
  | { readonly kind: 'stored'; readonly offset: bigint }
  | { readonly kind: 'refused'; readonly code: string; readonly report: BrokerReport };

interface ProduceResponse {
  readonly responses?: readonly {
    readonly partitionResponses: readonly {
      readonly index: number;
      readonly errorCode: number;
      readonly baseOffset: bigint;
      readonly errorMessage?: string | null;
    }[];
  }[];
}

/**
 * What a produce request that failed says of each partition: the client throws when one of them has an error, and what it throws holds
 * the answers for all. Partitions that are absent were not answered for.
 */
export function partitionResults(error: unknown): Map<number, PartitionResult> {
  const results = new Map<number, PartitionResult>();
  for (const { partition, offset } of producedOf(error)) results.set(partition, { kind: 'stored', offset });
  for (const { responses = [] } of responsesIn(error)) {
    for (const { partitionResponses } of responses) {
      for (const { index, errorCode, baseOffset, errorMessage = null } of partitionResponses) {
        results.set(index, errorCode === 0 ? { kind: 'stored', offset: baseOffset } : refusal(errorCode, errorMessage));
      }
    }
  }
  return results;
}

function refusal(errorCode: number, message: string | null): PartitionResult {
  const code = (protocolErrorsCodesById as Record<number, string>)[errorCode] ?? `ERROR_${errorCode}`;
  return { kind: 'refused', code, report: classifyKafkaCode(code, message) };
}

function producedOf(error: unknown): readonly { readonly partition: number; readonly offset: bigint }[] {
  const { produced } = error as {
    produced?: { offsets?: readonly { partition: number; offset: bigint }[] };
  };
  return produced?.offsets ?? [];
}

function responsesIn(error: unknown): ProduceResponse[] {
  if (!(error instanceof Error)) return [];
  const { response, errors = [] } = error as { response?: ProduceResponse; errors?: readonly unknown[] };
  return [...(response === undefined ? [] : [response]), ...errors.flatMap(responsesIn)];
}
