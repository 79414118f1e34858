/** A kind of line in the log: what it is about, and what it carries beside `level`, `time` and `event`. */
interface LogEvent {
  readonly level: 'info' | 'warn' | 'error';
  readonly meaning: string;
  readonly fields: readonly string[];
}

const ENDPOINT = ['tenant_id', 'endpoint_id'] as const;
/** See `faultOf`. */
const FAULT = ['error', 'code', 'message', 'stack'] as const;

/** Every kind of line that is written: `LineTeller` takes name, level and fields from here, and docs/log-events.md is made of it. */
export const LOG_EVENTS = {
  'service.started': {
    level: 'info',
    meaning: 'The process works.',
    fields: ['roles', 'host', 'port', 'version'],
  },
  'service.stopping': {
    level: 'info',
    meaning: 'It was told to stop, or has lost its embedded Postgres: `reason` says which.',
    fields: ['reason'],
  },
  'service.stopped': { level: 'info', meaning: 'It has ended what it had under way.', fields: [] },
  'database.url_empty': {
    level: 'warn',
    meaning:
      '`DATABASE_URL` is there but empty, so the process starts the embedded Postgres, although the variables of `beside` are set: if it was to have a database, what holds its URL did not reach it.',
    fields: ['beside'],
  },
  'database.newer': {
    level: 'warn',
    meaning:
      'The database has had `migrations` that this version does not know: a later version has been started on it. Go back by no more than the version before that one, and for no longer than you must.',
    fields: ['migrations'],
  },
  'database.migration_waits': {
    level: 'warn',
    meaning:
      'The database is not at this version yet, and the process serves nobody until it is: it waits for another one that migrates, or `migration` found a table locked and is tried again. `waits_for` says for whom.',
    fields: ['migration', 'waits_for'],
  },
  'log.dropped': {
    level: 'warn',
    meaning:
      'Whoever reads the log did not, or its disk was full, for so long that 32 MiB waited for it: so many `lines` that came then were not kept. They are missing somewhere before this one.',
    fields: ['lines'],
  },
  'event.accepted': {
    level: 'info',
    meaning: 'An event is stored, with so many `deliveries` to make; `bytes` are those of its body.',
    fields: ['event_id', 'tenant_id', 'type', 'bytes', 'deliveries'],
  },
  'event.misfit': {
    level: 'warn',
    meaning:
      "An event was accepted although it is not what its type's schema says (`validation: warn`): with so many `faults`. `events` counts those of the type since its last line; at most one line a second for each type.",
    fields: ['tenant_id', 'type', 'version', 'faults', 'events'],
  },
  'attempt.finished': {
    level: 'info',
    meaning:
      "An attempt has ended. `outcome` is the API's word for it; `status` is the receiver's, `reason` says why none was made (`skipped`). `decision` is `done`, `retry` or `postpone` (in `retry_in_ms`), `dead_letter`, `disable` (the endpoint too) or `cancel`.",
    fields: [
      'delivery_id',
      'endpoint_id',
      'tenant_id',
      'attempt',
      'outcome',
      'reason',
      'status',
      'total_ms',
      'decision',
      'retry_in_ms',
    ],
  },
  'delivery.set_aside': {
    level: 'error',
    meaning:
      'A delivery killed its workers, so many times (`crashes`), and waits for a person: `GET /v1/set-aside-deliveries` says whose it is.',
    fields: ['delivery_id', 'crashes'],
  },
  'delivery.expired': {
    level: 'warn',
    meaning:
      'So many deliveries (`count`) of an endpoint still waited when the days of their events were dropped, and are dead letters now. Of more than a hundred endpoints the rest is one line, with their number in `endpoints`.',
    fields: [...ENDPOINT, 'count', 'endpoints'],
  },
  'endpoint.breaker_opened': {
    level: 'warn',
    meaning:
      'Nothing is sent to the endpoint before `until`; `reason` is `failures_in_a_row`, `failure_rate`, `probe_failed` or `ramp_failed`.',
    fields: [...ENDPOINT, 'reason', 'until'],
  },
  'endpoint.breaker_closed': { level: 'warn', meaning: 'It takes requests as before.', fields: ENDPOINT },
  'endpoint.throttled': {
    level: 'warn',
    meaning: 'Its receiver asked for a pause by `Retry-After`.',
    fields: [...ENDPOINT, 'until'],
  },
  'endpoint.worn_out': {
    level: 'warn',
    meaning: 'It has had nothing but failures for five days, and is disabled.',
    fields: ENDPOINT,
  },
  'endpoint.validation_validated': {
    level: 'info',
    meaning: 'Its receiver agrees to be sent events.',
    fields: ENDPOINT,
  },
  'endpoint.validation_refused': {
    level: 'info',
    meaning: 'Its receiver does not agree, or has not answered: nothing is sent to it.',
    fields: ENDPOINT,
  },
  'endpoint.validation_postponed': { level: 'info', meaning: 'It is asked again later.', fields: ENDPOINT },
  'notices.told': {
    level: 'info',
    meaning:
      'So many facts (`count`) of one `kind` became so many system `events`, 0 where no endpoint of the tenant subscribes to them. News of many endpoints at once has their number, `endpoints`, in place of `endpoint_id`.',
    fields: [...ENDPOINT, 'endpoints', 'kind', 'count', 'events'],
  },
  'egress.held': {
    level: 'warn',
    meaning:
      'So many of the endpoints tried lately are `failing` by the same `fault` (`dns`, `network`, `connect_timeout`, `proxy`) that it is put down to this host: deliveries are put off.',
    fields: ['fault', 'failing', 'endpoints'],
  },
  'egress.released': { level: 'warn', meaning: 'That is over.', fields: ['fault', 'failing', 'endpoints'] },
  'source.changed': {
    level: 'info',
    meaning: 'What the consumer of a source does now, and the `error` that keeps it.',
    fields: ['source_id', 'source', 'state', 'error'],
  },
  'source.rejected': {
    level: 'warn',
    meaning: 'Messages are no event: how many for each of `reasons`. At most one line a second for each source.',
    fields: ['source', 'reasons'],
  },
  'source.rejected_dropped': {
    level: 'warn',
    meaning:
      'Rejected messages were dropped, because the source has more than `REJECTED_MESSAGES_PER_SOURCE`; so many of them were never published.',
    fields: ['source', 'count', 'unpublished'],
  },
  'source.out_of_range': {
    level: 'warn',
    meaning:
      "The source's group is at the offset `from` in a `partition` (`topic/number`) of Kafka, which is not there: `deleted` by retention up to `to`, where reading goes on, or `cut_off`, because the partition ended at `to`, or before that and has grown past it, and is held ([docs/sources.md](sources.md#offsets-that-are-not-there)). `count` is how many offsets that are, at least.",
    fields: ['source', 'partition', 'reason', 'from', 'to', 'count'],
  },
  'source.start_deleted': {
    level: 'warn',
    meaning:
      "The source's group has no offset in a `partition` (`topic/number`) of Kafka, or Kafka has forgotten it, and retention has deleted `from`, where the source first began: it begins at `to`, the first message there is. What of the messages between was taken is not known, so they are not counted as lost.",
    fields: ['source', 'partition', 'from', 'to'],
  },
  'source.dead_letters_refused': {
    level: 'warn',
    meaning:
      "The broker does not take dead letters of the source; they are tried again. `refusals` has the broker's first five reasons. At most one line a second for each source.",
    fields: ['source', 'count', 'refusals'],
  },
  'request.failed': {
    level: 'error',
    meaning: 'A request to the API was answered with a status of 500 or more. The answer has the same `request_id`.',
    fields: ['request_id', 'method', 'path', 'status', ...FAULT],
  },
  'commit.failed': {
    level: 'warn',
    meaning: 'So many `events` could not be stored; their producers got 503. At most one line a second.',
    fields: ['events', ...FAULT],
  },
  'work.failed': {
    level: 'warn',
    meaning:
      'Work that is tried again did not succeed: `what`, with the ids of whose it was where it is of one delivery or endpoint. At most one line a second for each kind of work, and each endpoint.',
    fields: ['what', 'delivery_id', ...ENDPOINT, ...FAULT],
  },
  'queue.failed': {
    level: 'warn',
    meaning:
      'Redis (or BullMQ on Postgres) has a fault: workers find their work by looking. At most one line a second.',
    fields: FAULT,
  },
  'worker.gone': {
    level: 'warn',
    meaning: 'So many `workers` have died, and so many of their `lanes` are free for others.',
    fields: ['workers', 'lanes'],
  },
  'lane.lost': {
    level: 'warn',
    meaning: 'Another process has a lane that this one thought to hold, as after a pause longer than its lease.',
    fields: ['lane'],
  },
  'housekeeping.partitions_made': {
    level: 'info',
    meaning: 'Partitions of the days ahead were made.',
    fields: ['tables'],
  },
  'housekeeping.partitions_dropped': {
    level: 'info',
    meaning: 'Partitions older than `RETENTION_DAYS` were dropped.',
    fields: ['tables'],
  },
  'housekeeping.dead_letters_forgotten': {
    level: 'info',
    meaning: 'Dead letters older than `DEAD_LETTER_RETENTION_DAYS` were deleted.',
    fields: ['count'],
  },
  'housekeeping.rejected_messages_forgotten': {
    level: 'info',
    meaning: 'Rejected messages of sources as old as that were deleted.',
    fields: ['count'],
  },
  'housekeeping.keys_resumed': {
    level: 'info',
    meaning:
      'So many keys of ordered endpoints went on that waited for a dead letter which its receiver had taken after all: the process that heard of it had died.',
    fields: ['count'],
  },
  'housekeeping.deliveries_withdrawn': {
    level: 'info',
    meaning:
      'So many deliveries were withdrawn that a cancelled replay had queued: the process that cancelled it had died before it was done.',
    fields: ['count'],
  },
  'housekeeping.ends_added': {
    level: 'info',
    meaning:
      'So many deliveries got the end that an earlier version did not write, when it cancelled the replay that had made them during their attempt.',
    fields: ['count'],
  },
  'housekeeping.keys_forgotten': {
    level: 'info',
    meaning: 'Idempotency keys older than `IDEMPOTENCY_HOURS` were deleted.',
    fields: ['count'],
  },
  'housekeeping.secrets_forgotten': {
    level: 'info',
    meaning: 'Secrets of endpoints whose overlap with the next was over were deleted.',
    fields: ['count'],
  },
  'housekeeping.deleted_endpoints_emptied': {
    level: 'info',
    meaning: 'Secrets, headers and passwords of deleted endpoints, for which nothing waits any more, were deleted.',
    fields: ['count'],
  },
} as const satisfies Record<string, LogEvent>;

export type LogEventName = keyof typeof LOG_EVENTS;

/** What lines of the kind may carry. */
export type LogFields<Name extends LogEventName> = {
  readonly [Field in (typeof LOG_EVENTS)[Name]['fields'][number]]?: unknown;
};

/** What follows `Prefix.` in names: `started`, `stopping`, … for `service`. */
export type NamedUnder<Prefix extends string> = LogEventName extends infer Name
  ? Name extends `${Prefix}.${infer Rest}`
    ? Rest
    : never
  : never;
