/** What a broker answers a fetch with, as far as transactions are concerned. */
export interface FetchedPartition {
  abortedTransactions: readonly AbortedTransaction[] | null;
  readonly records?: readonly FetchedBatch[] | null;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface FetchedBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly producerId: bigint;
  records: readonly FetchedRecord[];
}

export interface FetchedRecord {
  readonly key: Buffer | null;
  readonly offsetDelta: number;
}

const IS_TRANSACTIONAL = 0x10;
const IS_CONTROL = 0x20;
/** Of a control record's key: a version, then the kind, in two bytes each. */
const KIND_AT = 2;
const ABORT = 0;

/**
 * Empties the batches of transactions that were aborted, as Kafka's own consumer passes over them: the broker sends them to be dropped here. The
 * client's own way knows one aborted transaction of a producer in an answer, and none that does not end in it. A batch stays in its place,
 * so that reading goes on behind it.
 */
export function dropAborted(partition: FetchedPartition): void {
  const begun = [...(partition.abortedTransactions ?? [])].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  partition.abortedTransactions = [];
  const aborted = new Set<bigint>();
  let next = 0;
  for (const batch of partition.records ?? []) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (; next < begun.length && begun[next]!.firstOffset <= last; next++) aborted.add(begun[next]!.producerId);
    if (isAbort(batch)) aborted.delete(batch.producerId);
    else if ((batch.attributes & IS_TRANSACTIONAL) !== 0 && aborted.has(batch.producerId)) batch.records = [];
  }
}

/** The mark at the end of a transaction, which is no message. */
export function isControl({ attributes }: Pick<FetchedBatch, 'attributes'>): boolean {
  return (attributes & IS_CONTROL) !== 0;
}

function isAbort(batch: FetchedBatch): boolean {
  return isControl(batch) && batch.records[0]?.key?.readInt16BE(KIND_AT) === ABORT;
}
