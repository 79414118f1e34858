import { BoundedLabel } from './bounded-label.ts';
import type { LostPlace, TakenMessages } from './facts.ts';
import type { LineTeller } from './line-teller.ts';
import type { sourceMetrics } from './source-metrics.ts';

/** Names what happens at sources: see `Observer`. */
export class SourceObserver {
  readonly #metrics: ReturnType<typeof sourceMetrics>;
  readonly #lines: LineTeller;
  readonly #reasons = new BoundedLabel();

  constructor(metrics: ReturnType<typeof sourceMetrics>, lines: LineTeller) {
    this.#metrics = metrics;
    this.#lines = lines;
  }

  /** What a consumer does now. */
  changed({ id, name, state, error }: { id: string; name: string; state: string; error: string | null }): void {
    const details = { source_id: id, source: name, state, ...(error === null ? {} : { error }) };
    this.#lines.tell('source.changed', details);
  }

  /** Messages of a source are durable. */
  messagesTaken(type: string, { events, duplicates, rejected }: TakenMessages): void {
    const { messages } = this.#metrics;
    messages.inc({ type, outcome: 'event' }, events);
    messages.inc({ type, outcome: 'duplicate' }, duplicates);
    messages.inc({ type, outcome: 'rejected' }, rejected);
  }

  /** Messages of a source that are no event, by reason. One line a second for each source is enough. */
  messagesRejected({ source, reasons }: { source: string; reasons: ReadonlyMap<string, number> }): void {
    for (const [reason, count] of reasons) this.#metrics.rejected.inc({ reason: this.#reasons.of(reason) }, count);
    const details = { source, reasons: Object.fromEntries(reasons) };
    this.#lines.throttled('source.rejected', details, `source.rejected ${source}`);
  }

  /** Rejected messages were dropped because their source has more than it may. */
  rejectedDropped({ source, count, unpublished }: { source: string; count: number; unpublished: number }): void {
    this.#metrics.dropped.inc(count);
    this.#lines.tell('source.rejected_dropped', { source, count, unpublished });
  }

  /** The group's place in a partition of Kafka, `from`, is not in its log, which begins (`deleted`) or ended (`cut_off`) at `to`. */
  outOfRange({ source, topic, partition, reason, from, to }: LostPlace): void {
    const count = Number(from > to ? from - to : to - from);
    this.#metrics.lostOffsets.inc({ reason }, count);
    const details = { source, partition: `${topic}/${partition}`, reason, from: Number(from), to: Number(to), count };
    this.#lines.tell('source.out_of_range', details);
  }

  /** The group has no place in a partition of Kafka, and where the source first began, `from`, was deleted: it begins at `to`. */
  startDeleted({ source, topic, partition, from, to }: Omit<LostPlace, 'reason'>): void {
    const details = { source, partition: `${topic}/${partition}`, from: Number(from), to: Number(to) };
    this.#lines.tell('source.start_deleted', details);
  }

  /** One more partition of Kafka is left alone for this reason, or one less. */
  holding(reason: 'cut_off' | 'too_large', change: 1 | -1): void {
    this.#metrics.heldPartitions.inc({ reason }, change);
  }

  /** The broker takes some dead letters of a source not: they are tried again later. */
  deadLettersRefused({ source, reasons }: { source: string; reasons: ReadonlySet<string> }, count: number): void {
    this.#metrics.deadLettersRefused.inc(count);
    const details = { source, count, refusals: [...reasons].slice(0, 5) };
    this.#lines.throttled('source.dead_letters_refused', details, `source.dead_letters_refused ${source}`);
  }
}
