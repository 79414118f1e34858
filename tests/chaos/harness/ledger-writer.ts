import { openSync, writeSync } from 'node:fs';

/** What the receiver knows of a request when it has read it. */
export interface RequestRecord {
  readonly kind: 'request';
  /** Counts all requests, from 1. */
  readonly request: number;
  readonly atMs: number;
  /** From the path; -1 when it names none. */
  readonly endpoint: number;
  /** Number of the event, from its data; -1 when it has none. */
  readonly event: number;
  readonly webhookId: string;
  readonly deliveryId: string;
  readonly attempt: number;
  readonly isVerified: boolean;
  /** Whether the event's tenant is the endpoint's. */
  readonly isOwn: boolean;
  /** FNV-1a of the body. */
  readonly bodyHash: number;
  /** Since the producer was to post the event, in ms. */
  readonly lagMs: number;
}

/** What became of a request: the status that was sent, or 0 when none was (reset, or the sender hung up). */
export interface AnswerRecord {
  readonly kind: 'answer';
  readonly request: number;
  readonly atMs: number;
  readonly status: number;
}

export type LedgerRecord = RequestRecord | AnswerRecord;

const FLUSH_MS = 20;

/** The append-only ledger: one line for each request and one for each answer, in the order in which they happened. */
export class LedgerWriter {
  readonly #file: number;
  #lines: string[] = [];

  constructor(path: string) {
    this.#file = openSync(path, 'a');
    setInterval(() => this.flush(), FLUSH_MS).unref();
  }

  write(record: LedgerRecord): void {
    this.#lines.push(lineOf(record));
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    writeSync(this.#file, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }
}

function lineOf(record: LedgerRecord): string {
  if (record.kind === 'answer') return `a\t${record.request}\t${record.atMs}\t${record.status}`;
  const { request, atMs, endpoint, event, webhookId, deliveryId, attempt, isVerified, isOwn, bodyHash, lagMs } = record;
  return `r\t${[request, atMs, endpoint, event, webhookId, deliveryId, attempt, Number(isVerified), Number(isOwn), bodyHash, lagMs].join('\t')}`;
}
