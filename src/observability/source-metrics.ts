import type { MetricKit } from './metric-kit.ts';

/** What sources bring. */
export function sourceMetrics(kit: MetricKit) {
  const heldPartitions = kit.gauge(
    'source_held_partitions',
    "Partitions of Kafka of which this process takes nothing: `cut_off`, they ended before the group's offset, or `too_large`, their next batch is.",
    ['reason'],
  );
  // An alert can tell none from no process that would know.
  for (const reason of ['cut_off', 'too_large']) heldPartitions.set({ reason }, 0);
  return {
    heldPartitions,
    messages: kit.counter('source_messages_total', 'Messages of sources that were taken in, by what became of them.', [
      'type',
      'outcome',
    ]),
    rejected: kit.counter('source_messages_rejected_total', 'Messages of sources that are no event, by the reason.', [
      'reason',
    ]),
    dropped: kit.counter(
      'source_rejected_messages_dropped_total',
      'Rejected messages that were dropped, oldest first, because their source had more than `REJECTED_MESSAGES_PER_SOURCE`.',
    ),
    lostOffsets: kit.counter(
      'source_lost_offsets_total',
      'Offsets of Kafka that the broker has no more: `deleted` by retention before they were taken, or `cut_off`, taken and then lost by the broker: one where nobody knows how many.',
      ['reason'],
    ),
    deadLettersRefused: kit.counter(
      'source_dead_letters_refused_total',
      'How often a dead-letter topic or exchange did not take a rejected message. It is tried again.',
    ),
  };
}
