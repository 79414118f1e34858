import type { MetricKit } from './metric-kit.ts';

/** What sources bring. */
export function sourceMetrics(kit: MetricKit) {
  return {
    messages: kit.counter('source_messages_total', 'Messages of sources that were taken in, by what became of them.', [
      'type',
      'outcome',
    ]),
    rejected: kit.counter('source_messages_rejected_total', 'Messages of sources that are no event, by the reason.', [
      'reason',
    ]),
  };
}
