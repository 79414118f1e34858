import { BATCH_SIZES, STATEMENT_SECONDS } from './buckets.ts';
import type { MetricKit } from './metric-kit.ts';

/** Codes of refused requests that alerts go by: events were not stored, through no fault of whoever sent them. */
const ALARMING = ['storage_unavailable', 'overloaded', 'unavailable'] as const;

/** What comes in. */
export function ingestMetrics(kit: MetricKit) {
  const metrics = makeMetrics(kit);
  // What does not exist before its first burst does not grow by it, and no alert fires.
  for (const code of ALARMING) metrics.refused.inc({ code }, 0);
  return metrics;
}

function makeMetrics(kit: MetricKit) {
  return {
    accepted: kit.counter('events_accepted_total', 'Events that were stored, our own system events included.'),
    acceptedBytes: kit.counter('events_accepted_bytes_total', 'Bytes of their bodies, as they are delivered.'),
    queued: kit.counter(
      'deliveries_queued_total',
      'Deliveries that these events make: one for each endpoint that they match.',
    ),
    duplicates: kit.counter('events_duplicate_total', 'Events that were known already by their id or idempotency key.'),
    refused: kit.counter(
      'ingest_requests_refused_total',
      'Requests to POST /v1/events that were refused, by the code of the problem.',
      ['code'],
    ),
    misfits: kit.counter(
      'events_misfit_total',
      'Events that were accepted although they are not what the schema of their type says (validation: warn).',
    ),
    commitFailures: kit.counter(
      'commit_failed_events_total',
      'Events that could not be committed; their producers got 503.',
    ),
    commitEvents: kit.histogram('commit_events', 'Events in one group commit.', BATCH_SIZES),
    commitSeconds: kit.histogram(
      'commit_duration_seconds',
      'Time of the statement of a group commit.',
      STATEMENT_SECONDS,
    ),
    requestFailures: kit.counter(
      'http_requests_failed_total',
      'Requests to the API that were answered with a status of 500 or more.',
      ['status'],
    ),
  };
}
