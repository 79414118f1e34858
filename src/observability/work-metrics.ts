import type { MetricKit } from './metric-kit.ts';

/** How the processes keep themselves going. */
export function workMetrics(kit: MetricKit) {
  return {
    leasesLost: kit.counter('leases_lost_total', 'Lanes that this process thought to hold and did not.'),
    lanesFound: kit.counter(
      'lanes_found_asleep_total',
      'Lanes with due work and no owner that the sweeper found, each time it did.',
    ),
    workersGone: kit.counter('workers_gone_total', 'Workers that this process found dead.'),
    lanesFreed: kit.counter('lanes_freed_total', 'Lanes of such workers that it freed before their leases ended.'),
    duties: kit.counter(
      'housekeeping_runs_total',
      'Runs of each duty of housekeeping, by result: ok, failed, or left to another process that is at it.',
      ['duty', 'result'],
    ),
    dutiesAt: kit.gauge('housekeeping_success_timestamp_seconds', 'When a duty was last done, in seconds since 1970.', [
      'duty',
    ]),
    failures: kit.counter('work_failures_total', 'Failures of work that is tried again, by kind of work.', ['work']),
    queueFailures: kit.counter(
      'queue_failures_total',
      'Errors of the queues: the doorbell rings in vain, and the sweeper finds the work.',
    ),
  };
}
