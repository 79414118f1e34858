// Made from the OpenAPI document by scripts/generate-docs.ts (`npm run docs`).

export type NewEvent = {
  id?: string | undefined;
  type: string;
  version?: string | undefined;
  timestamp?: string | undefined;
  tenant_id?: string | undefined;
  correlation_id?: string | undefined;
  subject?: string | undefined;
  data: unknown;
  metadata?: {
    source?: string | undefined;
    idempotency_key?: string | undefined;
    [name: string]: unknown;
  } | undefined;
};

export type AcceptedEvent = {
  id: string;
  status: 'accepted' | 'duplicate';
  /** Endpoints that it goes to. */
  deliveries: number;
};

export type AcceptedBatch = {
  accepted: number;
  duplicates: number;
  items: AcceptedEvent[];
};

/** A CloudEvent in the JSON event format 1.0; other members are extensions. */
export type CloudEvent = {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  subject?: string | null | undefined;
  time?: string | null | undefined;
  datacontenttype?: string | null | undefined;
  dataschema?: string | null | undefined;
  data?: unknown;
  data_base64?: string | null | undefined;
  [name: string]: unknown;
};

/** RFC 9457 problem details */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** Stable: what programs go by. docs/errors.md lists them. */
  code: string;
  request_id: string;
  /** Where fields are at fault, above all with 422: the first 100; of a filter, or of data that are not what their schema says, 20, of a schema 50, of a batch of events 1,000. */
  errors?: ({
    /** Dotted: `subscriptions.0.types`. */
    path: string;
    message: string;
    /** In a batch of events: why the event is refused, by the codes that one alone is refused with. */
    code?: string | undefined;
  })[] | undefined;
};

export type Tenant = {
  id: string;
  name: string;
  /** What this tenant may send, as it was set. */
  limits: {
    /** Fractions are allowed; null: no limit. */
    events_per_second?: number | null | undefined;
    /** Events at once, after a pause. */
    burst_events?: number | undefined;
    /** Of request bodies; null: no limit. */
    bytes_per_second?: number | null | undefined;
    /** Bytes at once, after a pause; default: those of one second, and no less than the largest event that the installation takes. */
    burst_bytes?: number | undefined;
    /** Deliveries that may wait before no more events are taken; null: no limit. */
    backlog?: number | null | undefined;
  } | null;
  /** What it may send, the defaults of the installation included. */
  effective_limits: {
    /** Fractions are allowed; null: no limit. */
    events_per_second: number | null;
    burst_events: number | null;
    /** Of request bodies; null: no limit. */
    bytes_per_second: number | null;
    burst_bytes: number | null;
    /** Deliveries that may wait before no more events are taken; null: no limit. */
    backlog: number | null;
  };
  created_at: string;
};

export type FreshKey = {
  id: string;
  name: string;
  scopes: ('events:write' | 'events:read' | 'endpoints:write' | 'endpoints:read' | 'deliveries:read' | 'deliveries:write')[];
  expires_at: string | null;
  created_at: string;
  /** The key itself: shown now and never again. */
  key: string;
};

export type Key = {
  id: string;
  name: string;
  scopes: ('events:write' | 'events:read' | 'endpoints:write' | 'endpoints:read' | 'deliveries:read' | 'deliveries:write')[];
  expires_at: string | null;
  created_at: string;
};

export type OwnKey = {
  kind: 'operator' | 'tenant';
  /** As in the list of keys; null for an operator’s, which is in no list. */
  id: string | null;
  /** Whose key it is; null for an operator’s, which reaches every tenant. */
  tenant_id: string | null;
  scopes: ('events:write' | 'events:read' | 'endpoints:write' | 'endpoints:read' | 'deliveries:read' | 'deliveries:write')[];
};

export type CreatedEndpoint = {
  id: string;
  tenant_id: string;
  /** Of a destination that is no URL a line that stands for it: `kafka://…`, `rabbitmq://…`. */
  url: string;
  destination: {
    type: 'http';
    url: string;
  } | {
    type: 'kafka';
    brokers: string[];
    topic: string;
    /** What the key, and so the partition, is taken from; default: `subject`. */
    key: 'subject' | 'type' | 'tenant';
    tls: boolean;
    /** PEM certificates to trust in place of the well-known authorities. */
    ca: string | null;
    sasl: {
      mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      username: string;
    } | null;
  } | {
    type: 'rabbitmq';
    hosts: string[];
    vhost: string;
    exchange: string;
    routing_key?: string | undefined;
    /** What the routing key is taken from; default: `type`. */
    key?: 'subject' | 'type' | 'tenant' | undefined;
    tls: boolean;
    /** PEM certificates to trust in place of the well-known authorities. */
    ca: string | null;
    username: string;
  };
  description: string;
  subscriptions: ({
    types?: string[] | undefined;
    /** An Amazon EventBridge event pattern over the whole event as it was accepted, before a pinned version casts it, such as `{"data": {"amount": [{"numeric": [">", 100]}]}}`. Absent or null: every event of the types. */
    filter?: Record<string, unknown> | undefined;
  })[];
  enabled: boolean;
  disabled_reason: string | null;
  /** Sent with each delivery. Values are shown to callers who may write endpoints and as `***` to others; `***` is not taken as a value. */
  headers: Record<string, string>;
  /** Where it has something stored that does not open with the `MASTER_KEY` at hand: `headers` (shown as `***`, which is refused when it is sent back) or the `password` of its destination. Deliveries wait until it is sent anew, or the operator restores the key. */
  unreadable?: ('headers' | 'password')[] | undefined;
  signature: 'v1' | 'v1a';
  /** Seconds before each attempt, the first included. */
  retry_schedule: number[];
  timeout_seconds: number;
  rate_limit: {
    per_second: number;
    burst: number;
  } | null;
  max_in_flight: number;
  order: 'none' | 'endpoint' | 'subject';
  on_dead_letter: 'continue' | 'pause';
  /** The major version that the endpoint wants of the types that a pattern matches, such as `{"payment.*": "1"}`; the first pattern that matches counts. Events of another major are cast where their versions say how, and come as they are otherwise. */
  versions: Record<string, string>;
  format: 'native' | 'cloudevents' | 'cloudevents_binary';
  validation: 'none' | 'cloudevents';
  validation_status: {
    /** Unless it is `validated`, deliveries wait. */
    state: 'pending' | 'validated' | 'refused';
    /** Why it is not validated. */
    detail: string | null;
    /** Requests made since it was last to be validated. */
    tries: number;
    validated_at: string | null;
    /** What the receiver allows, within `rate_limit`; null: it sets no limit. */
    allowed_per_minute: number | null;
  } | null;
  metadata: Record<string, unknown>;
  created_at: string;
  updated_at: string;
  /** The signing secret; later: `GET …/secret`. */
  secret: string;
  /** `whpk_…`: what receivers verify `v1a` with. */
  public_key?: string | undefined;
};

export type Endpoint = {
  id: string;
  tenant_id: string;
  /** Of a destination that is no URL a line that stands for it: `kafka://…`, `rabbitmq://…`. */
  url: string;
  destination: {
    type: 'http';
    url: string;
  } | {
    type: 'kafka';
    brokers: string[];
    topic: string;
    /** What the key, and so the partition, is taken from; default: `subject`. */
    key: 'subject' | 'type' | 'tenant';
    tls: boolean;
    /** PEM certificates to trust in place of the well-known authorities. */
    ca: string | null;
    sasl: {
      mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      username: string;
    } | null;
  } | {
    type: 'rabbitmq';
    hosts: string[];
    vhost: string;
    exchange: string;
    routing_key?: string | undefined;
    /** What the routing key is taken from; default: `type`. */
    key?: 'subject' | 'type' | 'tenant' | undefined;
    tls: boolean;
    /** PEM certificates to trust in place of the well-known authorities. */
    ca: string | null;
    username: string;
  };
  description: string;
  subscriptions: ({
    types?: string[] | undefined;
    /** An Amazon EventBridge event pattern over the whole event as it was accepted, before a pinned version casts it, such as `{"data": {"amount": [{"numeric": [">", 100]}]}}`. Absent or null: every event of the types. */
    filter?: Record<string, unknown> | undefined;
  })[];
  enabled: boolean;
  disabled_reason: string | null;
  /** Sent with each delivery. Values are shown to callers who may write endpoints and as `***` to others; `***` is not taken as a value. */
  headers: Record<string, string>;
  /** Where it has something stored that does not open with the `MASTER_KEY` at hand: `headers` (shown as `***`, which is refused when it is sent back) or the `password` of its destination. Deliveries wait until it is sent anew, or the operator restores the key. */
  unreadable?: ('headers' | 'password')[] | undefined;
  signature: 'v1' | 'v1a';
  /** Seconds before each attempt, the first included. */
  retry_schedule: number[];
  timeout_seconds: number;
  rate_limit: {
    per_second: number;
    burst: number;
  } | null;
  max_in_flight: number;
  order: 'none' | 'endpoint' | 'subject';
  on_dead_letter: 'continue' | 'pause';
  /** The major version that the endpoint wants of the types that a pattern matches, such as `{"payment.*": "1"}`; the first pattern that matches counts. Events of another major are cast where their versions say how, and come as they are otherwise. */
  versions: Record<string, string>;
  format: 'native' | 'cloudevents' | 'cloudevents_binary';
  validation: 'none' | 'cloudevents';
  validation_status: {
    /** Unless it is `validated`, deliveries wait. */
    state: 'pending' | 'validated' | 'refused';
    /** Why it is not validated. */
    detail: string | null;
    /** Requests made since it was last to be validated. */
    tries: number;
    validated_at: string | null;
    /** What the receiver allows, within `rate_limit`; null: it sets no limit. */
    allowed_per_minute: number | null;
  } | null;
  metadata: Record<string, unknown>;
  created_at: string;
  updated_at: string;
};

export type EndpointSecrets = {
  /** What signs now: `whsec_…` (v1) or `whsk_…` (v1a). A `whsk_…` is a private key: callers without `endpoints:write` see `***`. */
  secret: string;
  /** `whpk_…`: what receivers verify `v1a` with. */
  public_key?: string | undefined;
  /** Secrets that sign beside it until they expire, shown as `secret` is. */
  previous: ({
    secret: string;
    expires_at: string;
  })[];
};

export type EndpointStats = {
  /** Events accepted within this time. */
  window_hours: number;
  /** Attempts that delivered: a delivery that is made again counts again. */
  delivered: number;
  failed_attempts: number;
  /** How often a delivery was given up, those included that were made again since. */
  dead_lettered: number;
  /** Likewise. */
  cancelled: number;
  /** Share of attempts that delivered, from 0 to 1; null without attempts. */
  success_rate: number | null;
  /** Of attempts that got a response; null without one. */
  latency_ms: {
    p50: number;
    p95: number;
    p99: number;
  } | null;
  /** Whether only the newest 100,000 attempts were counted. */
  sampled: boolean;
  breaker: Breaker;
  backlog: {
    pending: number;
    retrying: number;
    /** Whether counting ended at 100,000 and there may be more. */
    capped: boolean;
  };
  /** All that are kept now, whatever the window. */
  dead_letters: {
    total: number;
    /** By reason; reasons without any are absent. */
    by_reason: Record<string, number>;
    /** Whether only the newest 50,000 that were ever dead-lettered were looked at. */
    capped: boolean;
  };
};

export type Breaker = {
  /** `open`: nothing is sent. `half_open`: one probe. `ramping`: few at once, then more, up to `max_in_flight`. */
  state: 'closed' | 'open' | 'half_open' | 'ramping';
  /** When the next probe goes; null unless open. */
  open_until: string | null;
  /** While closed or ramping: ten open it, and 0 again from then on. */
  failures_in_a_row: number;
  /** Until when the receiver asked for a pause by `Retry-After`. */
  throttled_until: string | null;
  /** Since when nothing but failures came, moved on by what was more than 30 hours between two of them: then it was not being tried. Five days disable the endpoint. */
  failing_since: string | null;
};

export type PausedKey = {
  /** Null where the whole endpoint is one key, and when the event is not kept any more. */
  subject: string | null;
  /** The dead letter that the others wait for. */
  delivery_id: string;
  paused_at: string;
};

export type EventType = {
  type: string;
  description: string;
  /** What becomes of events that their schema refuses: nothing (`off`), a line in the log (`warn`), or 422 (`enforce`). */
  validation: 'off' | 'warn' | 'enforce';
  /** Oldest first. */
  versions: ({
    version: string;
    description: string;
    /** `deprecated` versions are still taken; events of an `archived` one count as not valid. */
    state: 'active' | 'deprecated' | 'archived';
    created_at: string;
    updated_at: string;
  })[];
  created_at: string;
  updated_at: string;
};

export type EventTypeVersion = {
  version: string;
  description: string;
  /** `deprecated` versions are still taken; events of an `archived` one count as not valid. */
  state: 'active' | 'deprecated' | 'archived';
  created_at: string;
  updated_at: string;
  type: string;
  schema: unknown;
  example?: unknown;
  casts: {
    from: string;
    /** Older path → newer path, such as `customer_id` → `customer.id`. */
    renames: Record<string, string>;
    /** Newer path → what it is in events of the older version. Left out for receivers of the older one. */
    defaults: Record<string, unknown>;
    /** Older paths that the newer version has no more. */
    removes: string[];
    /** The same, with what receivers of the older version get there. */
    restores: Record<string, unknown>;
    /** Whether an earlier version of the same major declared them. */
    inherited: boolean;
  } | null;
};

export type Event = {
  id: string;
  type: string;
  version: string;
  timestamp: string;
  tenant_id: string;
  correlation_id?: string | undefined;
  subject?: string | undefined;
  /** As the producer sent it; null after its payload was expunged. */
  data: unknown;
  metadata?: Record<string, unknown> | undefined;
  accepted_at: string;
  expunged_at: string | null;
};

export type Delivery = {
  id: string;
  event_id: string;
  event_type: string;
  endpoint_id: string;
  tenant_id: string;
  status: 'pending' | 'retrying' | 'delivered' | 'dead_lettered' | 'cancelled';
  /** Requests made so far. */
  attempts: number;
  /** When it is due. It goes later where its endpoint takes nothing then: disabled, circuit open, asked for a pause, not validated, behind others. Null where it has ended, was set aside, or waits for those before it in order. */
  next_attempt_at: string | null;
  /** Why it is not tried although it waits: it was set aside (then `next_attempt_at` is null, and a retry by hand brings it back), or its endpoint is disabled. */
  problem: string | null;
  last_attempt: {
    /** Rises. That of a cancellation leaves one free for a request that may be under way: 3 after one request, say. */
    number: number;
    started_at: string;
    /** `skipped`: no request was made, and `detail` says why none will be. `network`: this host could not even try. */
    outcome: 'delivered' | 'rejected' | 'blocked' | 'skipped' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network';
    /** The response's status; null without a response. */
    status: number | null;
    detail: string | null;
  } | null;
  created_at: string;
};

export type Attempt = {
  /** Rises. That of a cancellation leaves one free for a request that may be under way: 3 after one request, say. */
  number: number;
  started_at: string;
  /** `skipped`: no request was made, and `detail` says why none will be. `network`: this host could not even try. */
  outcome: 'delivered' | 'rejected' | 'blocked' | 'skipped' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network';
  /** The response's status; null without a response. */
  status: number | null;
  detail: string | null;
  /** Whether it came back after the delivery had ended otherwise: a fact without effect. */
  is_late: boolean;
  response: {
    /** Of `set-cookie` and other credentials the name alone, of `location` no query. */
    headers: Record<string, string>;
    /** Its start, at most 16 KiB. */
    body: string;
    /** `base64` when the bytes are not UTF-8. */
    body_encoding: 'utf-8' | 'base64';
  } | null;
  timing: {
    dns_ms: number | null;
    connect_ms: number | null;
    first_byte_ms: number | null;
    total_ms: number;
  } | null;
  next_attempt_at: string | null;
};

export type SetAsideDelivery = {
  delivery_id: string;
  tenant_id: string;
  endpoint_id: string;
  /** Workers in a row that died while they tried it. */
  crashes: number;
  reason: string;
  set_aside_at: string;
};

export type DeadLetter = {
  delivery_id: string;
  event_id: string;
  event_type: string;
  endpoint_id: string;
  tenant_id: string;
  /** The outcome of the attempt that ended it; of a response also `gone` (410), `disabled` and `aborted` (`webhook-delivery` of the receiver). `blocked`: the egress rules refused it, or no request could be made of the event; `last_attempt` says which. `expired`: it still waited when the day of its event was dropped. */
  reason: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired';
  /** Requests made. */
  attempts: number;
  last_attempt: {
    /** Rises. That of a cancellation leaves one free for a request that may be under way: 3 after one request, say. */
    number: number;
    started_at: string;
    /** `skipped`: no request was made, and `detail` says why none will be. `network`: this host could not even try. */
    outcome: 'delivered' | 'rejected' | 'blocked' | 'skipped' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network';
    /** The response's status; null without a response. */
    status: number | null;
    detail: string | null;
  };
  /** When the event was accepted. */
  created_at: string;
  /** Kept at least until then. */
  expires_at: string;
  /** Where the event with its payload is read. */
  event_url: string;
};

export type DeadLetterStats = {
  total: number;
  /** By reason; reasons without any are absent. */
  by_reason: Record<string, number>;
  /** Whether only the newest 50,000 that were ever dead-lettered were looked at. */
  capped: boolean;
  /** By the id of the endpoint; endpoints without any are absent. */
  by_endpoint: Record<string, number>;
};

export type InspectedDeadLetter = {
  delivery_id: string;
  event_id: string;
  event_type: string;
  endpoint_id: string;
  tenant_id: string;
  /** The outcome of the attempt that ended it; of a response also `gone` (410), `disabled` and `aborted` (`webhook-delivery` of the receiver). `blocked`: the egress rules refused it, or no request could be made of the event; `last_attempt` says which. `expired`: it still waited when the day of its event was dropped. */
  reason: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired';
  /** Requests made. */
  attempts: number;
  last_attempt: Attempt;
  /** When the event was accepted. */
  created_at: string;
  /** Kept at least until then. */
  expires_at: string;
  /** Where the event with its payload is read. */
  event_url: string;
};

export type Replay = {
  id: string;
  state: 'pending' | 'running' | 'completed' | 'cancelled';
  /** Deliveries that were found and queued so far. */
  matched: number;
  /** Of these, those that wait no longer for the replay: that had their attempt, or were retried, cancelled or expunged meanwhile, or set aside. Not those that were withdrawn when the replay was cancelled, and not those whose day was dropped before they were sent: at its end it is so much less than `matched`. */
  done: number;
  /** Deliveries that were left out so far because their endpoint was disabled: enable it, and replay them again. They are not among `matched`. At most 2,147,483,647 are counted. */
  skipped: number;
  /** What was asked for. */
  request: {
    endpoint_id?: string | undefined;
    status?: 'delivered' | 'dead_lettered' | 'cancelled' | undefined;
    types?: string[] | undefined;
    event_ids?: string[] | undefined;
    delivery_ids?: string[] | undefined;
    reason?: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired' | undefined;
    since?: string | undefined;
    until?: string | undefined;
  };
  created_at: string;
  finished_at: string | null;
};

export type PurgeResult = {
  purged: number;
  /** False when there were too many for one call: call again. */
  complete: boolean;
  /** The `cursor` of the next call, which goes on where this one stopped; null when it is complete. */
  next: string | null;
};

export type Source = {
  id: string;
  name: string;
  type: 'kafka' | 'rabbitmq';
  /** `file`: written in SOURCES_FILE, and changed there. */
  origin: 'api' | 'file';
  paused: boolean;
  /** Messages that wait, all together; null: nobody knows. */
  lag: number | null;
  /** Processes that consume it now. */
  consumers: SourceConsumer[];
  /** As it was described, without its secrets. */
  config: Record<string, unknown>;
  created_at: string;
  updated_at: string;
};

export type SourceConsumer = {
  process: string;
  /** `waiting`: messages cannot be stored now; `failing`: the broker cannot be used, or a batch of one partition not be taken. */
  state: 'starting' | 'running' | 'paused' | 'waiting' | 'failing';
  /** What is wrong, while something is. */
  error: string | null;
  /** Of the partitions or queues that this process consumes. */
  lag: ({
    /** A partition (`topic/partition`) or a queue. */
    part: string;
    /** Messages that wait there; null: not known. */
    messages: number | null;
  })[];
  /** Messages that became events since the process began with the source. */
  events: number;
  duplicates: number;
  rejected: number;
  seen_at: string;
};

export type RejectedMessage = {
  id: string;
  /** Where it stood: `topic/partition/offset`. */
  position: string;
  /** `topic/partition`, or the queue. */
  group: string;
  /** `invalid_json`, `invalid_event`, `tenant_not_found`, `idempotency_conflict`, `too_large`, `unmapped`, … */
  reason: string;
  detail: string;
  errors: ({
    path: string;
    message: string;
  })[];
  /** What the broker said of it. */
  attributes: Record<string, string>;
  /** How many bytes its body had. */
  body_bytes: number;
  /** It was too large to be kept whole, and cannot be tried again. */
  truncated: boolean;
  attempts: number;
  retry_requested: boolean;
  /** Why the dead-letter topic or exchange has not taken it; it is tried again, after five minutes at first and ever more seldom then. */
  dead_letter_error: string | null;
  message_at: string | null;
  rejected_at: string;
};

export type RejectedMessageWithBytes = {
  id: string;
  /** Where it stood: `topic/partition/offset`. */
  position: string;
  /** `topic/partition`, or the queue. */
  group: string;
  /** `invalid_json`, `invalid_event`, `tenant_not_found`, `idempotency_conflict`, `too_large`, `unmapped`, … */
  reason: string;
  detail: string;
  errors: ({
    path: string;
    message: string;
  })[];
  /** What the broker said of it. */
  attributes: Record<string, string>;
  /** How many bytes its body had. */
  body_bytes: number;
  /** It was too large to be kept whole, and cannot be tried again. */
  truncated: boolean;
  attempts: number;
  retry_requested: boolean;
  /** Why the dead-letter topic or exchange has not taken it; it is tried again, after five minutes at first and ever more seldom then. */
  dead_letter_error: string | null;
  message_at: string | null;
  rejected_at: string;
  key_base64: string | null;
  body_base64: string;
  headers: ({
    name: string;
    value_base64: string;
  })[];
};

export type AuditEntry = {
  id: string;
  at: string;
  /** A key id, `operator` or `system`. */
  actor: string;
  /** `dead_letters.purged`, `delivery.cancelled`, `delivery.retried`, `endpoint.breaker_reset`, `endpoint.created`, `endpoint.deleted`, `endpoint.disabled`, `endpoint.keys_resumed`, `endpoint.secret_rotated`, `endpoint.updated`, `endpoint.validated`, `endpoint.validation_asked`, `endpoint.validation_refused`, `event.expunged`, `event_type.created`, `event_type.updated`, `event_type_version.created`, `event_type_version.updated`, `key.created`, `key.revoked`, `replay.cancelled`, `replay.created`, `source.created`, `source.deleted`, `source.paused`, `source.rejected_discarded`, `source.rejected_retried`, `source.resumed`, `source.updated`, `tenant.created`, `tenant.deleted`, `tenant.updated`. Later versions may know more. */
  action: string;
  /** The id of what was changed. */
  object: string;
  /** What changed, as it was; null for what was made. Never a secret. */
  before: unknown;
  /** What changed, as it is; null for what was deleted. Never a secret. Filters are JSON text. */
  after: unknown;
};

/** Every call of the API: what it takes, and what it answers. */
export interface Operations {
  /** Send one event, or a batch. Access: events:write. */
  'POST /v1/events': {
    input: {
      body: NewEvent | readonly NewEvent[];
    };
    answer: AcceptedEvent | AcceptedBatch;
  };
  /** Create a tenant. Access: operator. */
  'POST /v1/tenants': {
    input: {
      body?: {
        id?: string | undefined;
        name?: string | undefined;
        limits?: {
          /** Fractions are allowed; null: no limit. */
          events_per_second?: number | null | undefined;
          /** Events at once, after a pause. */
          burst_events?: number | undefined;
          /** Of request bodies; null: no limit. */
          bytes_per_second?: number | null | undefined;
          /** Bytes at once, after a pause; default: those of one second, and no less than the largest event that the installation takes. */
          burst_bytes?: number | undefined;
          /** Deliveries that may wait before no more events are taken; null: no limit. */
          backlog?: number | null | undefined;
        } | null | undefined;
      };
    };
    answer: Tenant;
  };
  /** List tenants. Access: operator. */
  'GET /v1/tenants': {
    input: {
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: Tenant[];
      next: string | null;
    };
  };
  /** Read a tenant. Access: operator. */
  'GET /v1/tenants/{tenant_id}': {
    input: {
      params: {
        tenant_id: string;
      };
    };
    answer: Tenant;
  };
  /** Change the name or the limits of a tenant. Access: operator. */
  'PATCH /v1/tenants/{tenant_id}': {
    input: {
      params: {
        tenant_id: string;
      };
      body?: {
        name?: string | undefined;
        limits?: {
          /** Fractions are allowed; null: no limit. */
          events_per_second?: number | null | undefined;
          /** Events at once, after a pause. */
          burst_events?: number | undefined;
          /** Of request bodies; null: no limit. */
          bytes_per_second?: number | null | undefined;
          /** Bytes at once, after a pause; default: those of one second, and no less than the largest event that the installation takes. */
          burst_bytes?: number | undefined;
          /** Deliveries that may wait before no more events are taken; null: no limit. */
          backlog?: number | null | undefined;
        } | null | undefined;
      };
    };
    answer: Tenant;
  };
  /** Delete a tenant: revokes its keys, deletes its endpoints, cancels what waits for them. Access: operator. */
  'DELETE /v1/tenants/{tenant_id}': {
    input: {
      params: {
        tenant_id: string;
      };
    };
    answer: undefined;
  };
  /** Make an API key for a tenant's own use. Access: operator. */
  'POST /v1/tenants/{tenant_id}/keys': {
    input: {
      params: {
        tenant_id: string;
      };
      body?: {
        name?: string | undefined;
        /** What the key may do; everything within its tenant when absent. `endpoints:read` reads the symmetric signing secrets (`whsec_…`) of endpoints, too. */
        scopes?: readonly ('events:write' | 'events:read' | 'endpoints:write' | 'endpoints:read' | 'deliveries:read' | 'deliveries:write')[] | undefined;
        /** In the future; null or absent: never. */
        expires_at?: string | null | undefined;
        /** In place of `expires_at`. */
        expires_in_seconds?: number | undefined;
      };
    };
    answer: FreshKey;
  };
  /** List a tenant's keys that were not revoked. Access: operator. */
  'GET /v1/tenants/{tenant_id}/keys': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: Key[];
      next: string | null;
    };
  };
  /** Revoke a key, for good. Other processes follow within 1.25 seconds, or within ten where Postgres does not answer. Access: operator. */
  'DELETE /v1/tenants/{tenant_id}/keys/{key_id}': {
    input: {
      params: {
        tenant_id: string;
        key_id: string;
      };
    };
    answer: undefined;
  };
  /** Whose the key is that makes this call, and what it may do. Access: any_key. */
  'GET /v1/key': {
    input: Record<never, never>;
    answer: OwnKey;
  };
  /** Create an endpoint. Access: endpoints:write. */
  'POST /v1/tenants/{tenant_id}/endpoints': {
    input: {
      params: {
        tenant_id: string;
      };
      body: {
        /** http or https; an address that the operator has not allowed is refused. Short for a `destination` of type `http`; a new endpoint has one of the two. */
        url?: string | undefined;
        /** Where events go, in place of `url`: replaced as a whole. */
        destination?: {
          type: 'http';
          url: string;
        } | {
          type: 'kafka';
          /** `host:port` or `host` (port 9092), of one cluster. What its metadata names is held against the same rules. */
          brokers: readonly string[];
          /** It must exist: topics are not created. */
          topic: string;
          /** What the key, and so the partition, is taken from; default: `subject`. */
          key?: 'subject' | 'type' | 'tenant' | undefined;
          /** Default: true. Certificates are verified. */
          tls?: boolean | undefined;
          /** PEM certificates to trust in place of the well-known authorities. */
          ca?: string | null | undefined;
          sasl?: {
            /** In upper or lower case. */
            mechanism: 'PLAIN' | 'plain' | 'SCRAM-SHA-256' | 'scram-sha-256' | 'SCRAM-SHA-512' | 'scram-sha-512';
            username: string;
            /** Never shown again. May be left out of a change after which it goes to the same brokers and user, by the same TLS settings. */
            password?: string | undefined;
          } | null | undefined;
        } | {
          type: 'rabbitmq';
          /** `host:port` or `host` (port 5671, without TLS 5672), of one cluster. */
          hosts: readonly string[];
          /** Default: `/`. */
          vhost?: string | undefined;
          /** It must exist. Empty: the default exchange. */
          exchange: string;
          /** The same for every message. */
          routing_key?: string | undefined;
          /** What the routing key is taken from; default: `type`. */
          key?: 'subject' | 'type' | 'tenant' | undefined;
          /** Default: true. Certificates are verified. */
          tls?: boolean | undefined;
          /** PEM certificates to trust in place of the well-known authorities. */
          ca?: string | null | undefined;
          username: string;
          /** Never shown again. May be left out of a change after which it goes to the same brokers and user, by the same TLS settings. */
          password?: string | undefined;
        } | undefined;
        description?: string | undefined;
        /** What the endpoint receives, each with `types`, a `filter`, or both; none: everything but system events (`system.**`), which come to whoever names them. An event comes once, however many match. */
        subscriptions?: readonly ({
          /** Dotted globs: `*` stands for one segment, `**` for any number, none included. Absent: every type but those of system events, which patterns match that begin with `system`. */
          types?: readonly string[] | undefined;
          /** An Amazon EventBridge event pattern over the whole event as it was accepted, before a pinned version casts it, such as `{"data": {"amount": [{"numeric": [">", 100]}]}}`. Absent or null: every event of the types. */
          filter?: Record<string, unknown> | null | undefined;
        })[] | undefined;
        enabled?: boolean | undefined;
        /** Sent with each delivery. Values are shown to callers who may write endpoints and as `***` to others; `***` is not taken as a value. */
        headers?: Record<string, string> | undefined;
        /** `v1`: HMAC-SHA256. `v1a`: Ed25519. Another scheme makes a new secret, and the old ones are void at once. */
        signature?: 'v1' | 'v1a' | undefined;
        /** Seconds before each attempt, the first included, never descending; at most 20. The first attempt is made at once: when the list does not begin with 0, a 0 is put in front. Null: the default. */
        retry_schedule?: readonly number[] | null | undefined;
        /** Total time of an attempt; null: the default. */
        timeout_seconds?: number | null | undefined;
        /** Null: as fast as `max_in_flight` lets it. */
        rate_limit?: {
          /** Deliveries a second; fractions are allowed. */
          per_second: number;
          /** How many may come at once; default: what comes in a second. */
          burst?: number | undefined;
        } | null | undefined;
        /** Requests under way at once; null: the default. */
        max_in_flight?: number | null | undefined;
        /** What comes in the order of acceptance, one after the other, retries included: nothing, all, or what has the same `subject`. Holds for events accepted from then on. */
        order?: 'none' | 'endpoint' | 'subject' | undefined;
        /** What becomes of those behind an ordered delivery that is dead-lettered: they go on, or wait until a person resumes them. */
        on_dead_letter?: 'continue' | 'pause' | undefined;
        /** The major version that the endpoint wants of the types that a pattern matches, such as `{"payment.*": "1"}`; the first pattern that matches counts. Events of another major are cast where their versions say how, and come as they are otherwise. */
        versions?: Record<string, string> | undefined;
        /** What deliveries look like: events of Posthorn’s, or CloudEvents 1.0 in structured (`cloudevents`) or binary content mode. */
        format?: 'native' | 'cloudevents' | 'cloudevents_binary' | undefined;
        /** `cloudevents`: before the first delivery the receiver is asked to agree (CloudEvents, HTTP 1.1 Web Hooks, §4); until it has, deliveries wait. Asked again when the URL changes. */
        validation?: 'none' | 'cloudevents' | undefined;
        /** Anything of yours: at most 50 names and 16 KiB. */
        metadata?: Record<string, unknown> | undefined;
        /** `whsec_…` for v1, `whsk_…` for v1a; made by Posthorn when absent. */
        secret?: string | undefined;
      };
    };
    answer: CreatedEndpoint;
  };
  /** List endpoints. A page may hold fewer than `limit`: go on while `next` is not null. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/endpoints': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: Endpoint[];
      next: string | null;
    };
  };
  /** Read an endpoint. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/endpoints/{endpoint_id}': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
    };
    answer: Endpoint;
  };
  /** Change an endpoint: the fields given replace what they were, the others stay. Access: endpoints:write. */
  'PATCH /v1/tenants/{tenant_id}/endpoints/{endpoint_id}': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      body?: {
        /** http or https; an address that the operator has not allowed is refused. Short for a `destination` of type `http`; a new endpoint has one of the two. */
        url?: string | undefined;
        /** Where events go, in place of `url`: replaced as a whole. */
        destination?: {
          type: 'http';
          url: string;
        } | {
          type: 'kafka';
          /** `host:port` or `host` (port 9092), of one cluster. What its metadata names is held against the same rules. */
          brokers: readonly string[];
          /** It must exist: topics are not created. */
          topic: string;
          /** What the key, and so the partition, is taken from; default: `subject`. */
          key?: 'subject' | 'type' | 'tenant' | undefined;
          /** Default: true. Certificates are verified. */
          tls?: boolean | undefined;
          /** PEM certificates to trust in place of the well-known authorities. */
          ca?: string | null | undefined;
          sasl?: {
            /** In upper or lower case. */
            mechanism: 'PLAIN' | 'plain' | 'SCRAM-SHA-256' | 'scram-sha-256' | 'SCRAM-SHA-512' | 'scram-sha-512';
            username: string;
            /** Never shown again. May be left out of a change after which it goes to the same brokers and user, by the same TLS settings. */
            password?: string | undefined;
          } | null | undefined;
        } | {
          type: 'rabbitmq';
          /** `host:port` or `host` (port 5671, without TLS 5672), of one cluster. */
          hosts: readonly string[];
          /** Default: `/`. */
          vhost?: string | undefined;
          /** It must exist. Empty: the default exchange. */
          exchange: string;
          /** The same for every message. */
          routing_key?: string | undefined;
          /** What the routing key is taken from; default: `type`. */
          key?: 'subject' | 'type' | 'tenant' | undefined;
          /** Default: true. Certificates are verified. */
          tls?: boolean | undefined;
          /** PEM certificates to trust in place of the well-known authorities. */
          ca?: string | null | undefined;
          username: string;
          /** Never shown again. May be left out of a change after which it goes to the same brokers and user, by the same TLS settings. */
          password?: string | undefined;
        } | undefined;
        description?: string | undefined;
        /** What the endpoint receives, each with `types`, a `filter`, or both; none: everything but system events (`system.**`), which come to whoever names them. An event comes once, however many match. */
        subscriptions?: readonly ({
          /** Dotted globs: `*` stands for one segment, `**` for any number, none included. Absent: every type but those of system events, which patterns match that begin with `system`. */
          types?: readonly string[] | undefined;
          /** An Amazon EventBridge event pattern over the whole event as it was accepted, before a pinned version casts it, such as `{"data": {"amount": [{"numeric": [">", 100]}]}}`. Absent or null: every event of the types. */
          filter?: Record<string, unknown> | null | undefined;
        })[] | undefined;
        enabled?: boolean | undefined;
        /** Sent with each delivery. Values are shown to callers who may write endpoints and as `***` to others; `***` is not taken as a value. */
        headers?: Record<string, string> | undefined;
        /** `v1`: HMAC-SHA256. `v1a`: Ed25519. Another scheme makes a new secret, and the old ones are void at once. */
        signature?: 'v1' | 'v1a' | undefined;
        /** Seconds before each attempt, the first included, never descending; at most 20. The first attempt is made at once: when the list does not begin with 0, a 0 is put in front. Null: the default. */
        retry_schedule?: readonly number[] | null | undefined;
        /** Total time of an attempt; null: the default. */
        timeout_seconds?: number | null | undefined;
        /** Null: as fast as `max_in_flight` lets it. */
        rate_limit?: {
          /** Deliveries a second; fractions are allowed. */
          per_second: number;
          /** How many may come at once; default: what comes in a second. */
          burst?: number | undefined;
        } | null | undefined;
        /** Requests under way at once; null: the default. */
        max_in_flight?: number | null | undefined;
        /** What comes in the order of acceptance, one after the other, retries included: nothing, all, or what has the same `subject`. Holds for events accepted from then on. */
        order?: 'none' | 'endpoint' | 'subject' | undefined;
        /** What becomes of those behind an ordered delivery that is dead-lettered: they go on, or wait until a person resumes them. */
        on_dead_letter?: 'continue' | 'pause' | undefined;
        /** The major version that the endpoint wants of the types that a pattern matches, such as `{"payment.*": "1"}`; the first pattern that matches counts. Events of another major are cast where their versions say how, and come as they are otherwise. */
        versions?: Record<string, string> | undefined;
        /** What deliveries look like: events of Posthorn’s, or CloudEvents 1.0 in structured (`cloudevents`) or binary content mode. */
        format?: 'native' | 'cloudevents' | 'cloudevents_binary' | undefined;
        /** `cloudevents`: before the first delivery the receiver is asked to agree (CloudEvents, HTTP 1.1 Web Hooks, §4); until it has, deliveries wait. Asked again when the URL changes. */
        validation?: 'none' | 'cloudevents' | undefined;
        /** Anything of yours: at most 50 names and 16 KiB. */
        metadata?: Record<string, unknown> | undefined;
      };
    };
    answer: Endpoint;
  };
  /** Delete an endpoint and cancel what waits for it. Access: endpoints:write. */
  'DELETE /v1/tenants/{tenant_id}/endpoints/{endpoint_id}': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
    };
    answer: undefined;
  };
  /** Read the signing secrets of an endpoint. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/secret': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
    };
    answer: EndpointSecrets;
  };
  /** Give an endpoint a new signing secret; old and new sign together for the overlap. Access: endpoints:write. */
  'POST /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/secret/rotate': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      body?: {
        /** How long earlier secrets still sign, at most; a day when absent, 0: not at all. Of earlier ones 8 sign at the most: until one has expired, another rotation is refused (409 `too_many_secrets`). */
        overlap_seconds?: number | undefined;
        /** `whsec_…` for v1, `whsk_…` for v1a; made by Posthorn when absent. */
        secret?: string | undefined;
      };
    };
    answer: EndpointSecrets;
  };
  /** Ask the receiver of an endpoint anew whether it agrees to deliveries; until it does, they wait. Access: endpoints:write. */
  'POST /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/validate': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      body?: Record<string, never>;
    };
    answer: Endpoint;
  };
  /** Send a test event through the real path to this endpoint alone, whatever it subscribes to. Access: endpoints:write. */
  'POST /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/test': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      body?: {
        /** Default `posthorn.test`. */
        type?: string | undefined;
        data?: unknown;
      };
    };
    answer: {
      event_id: string;
      delivery_id: string;
    };
  };
  /** Counts, success rate, latency and backlog of an endpoint. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/stats': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
    };
    answer: EndpointStats;
  };
  /** Close the circuit breaker of an endpoint by hand, and end its throttle: what waits is sent within a second. Access: endpoints:write. */
  'POST /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/breaker/reset': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      body?: Record<string, never>;
    };
    answer: Breaker;
  };
  /** List what waits for a person behind dead letters of an ordered endpoint (`on_dead_letter: "pause"`). Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/paused-keys': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: PausedKey[];
      next: string | null;
    };
  };
  /** Let what waits behind dead letters go on without them; to send a dead letter first, retry it instead. Access: deliveries:write. */
  'POST /v1/tenants/{tenant_id}/endpoints/{endpoint_id}/paused-keys/resume': {
    input: {
      params: {
        tenant_id: string;
        endpoint_id: string;
      };
      body?: {
        /** Of the key to resume; absent: all keys of the endpoint. */
        subject?: string | undefined;
      };
    };
    answer: {
      /** Keys. */
      resumed: number;
    };
  };
  /** Tell whether a subscription would match an event, and if not, which fields failed. Access: endpoints:read. */
  'POST /v1/tenants/{tenant_id}/filters/test': {
    input: {
      params: {
        tenant_id: string;
      };
      body: {
        /** An Amazon EventBridge event pattern over the whole event as it was accepted, before a pinned version casts it, such as `{"data": {"amount": [{"numeric": [">", 100]}]}}`. Absent or null: every event of the types. */
        filter?: Record<string, unknown> | null | undefined;
        /** Dotted globs: `*` stands for one segment, `**` for any number, none included. Absent: every type but those of system events, which patterns match that begin with `system`. */
        types?: readonly string[] | undefined;
        /** The whole event, as `GET …/events/{event_id}` has it of one that was accepted, without `accepted_at` and `expunged_at`: `id`, `type`, `version`, `timestamp`, `tenant_id`, `correlation_id`, `subject`, `data`, `metadata`. A filter on a field that is left out does not match. */
        event: Record<string, unknown>;
      };
    };
    answer: {
      matched: boolean;
      failed: ({
        /** The field, names joined by dots. */
        path: string;
        expected: string;
        /** What the event has there, as JSON; five values at most. */
        found: string[];
      })[];
    };
  };
  /** List event types, with their versions. A page may hold fewer than `limit`: go on while `next` is not null. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/event-types': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: EventType[];
      next: string | null;
    };
  };
  /** Read an event type. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/event-types/{type}': {
    input: {
      params: {
        tenant_id: string;
        type: string;
      };
    };
    answer: EventType;
  };
  /** Change the description of an event type, or whether its events are validated. Access: endpoints:write. */
  'PATCH /v1/tenants/{tenant_id}/event-types/{type}': {
    input: {
      params: {
        tenant_id: string;
        type: string;
      };
      body?: {
        description?: string | undefined;
        /** What becomes of events that their schema refuses: nothing (`off`), a line in the log (`warn`), or 422 (`enforce`). */
        validation?: 'off' | 'warn' | 'enforce' | undefined;
      };
    };
    answer: EventType;
  };
  /** Adopt a catalogue of event types, each in version 1.0: subscription-commerce. Access: endpoints:write. */
  'POST /v1/tenants/{tenant_id}/event-types/presets/{preset}': {
    input: {
      params: {
        tenant_id: string;
        preset: string;
      };
      body?: {
        /** What becomes of events that their schema refuses: nothing (`off`), a line in the log (`warn`), or 422 (`enforce`). */
        validation?: 'off' | 'warn' | 'enforce' | undefined;
      };
    };
    answer: {
      preset: string;
      types: ({
        type: string;
        /** `kept`: the tenant has the type already, and it stays as it is. */
        status: 'created' | 'kept';
      })[];
    };
  };
  /** Register a version of an event type, and the type with its first. Schema and casts never change afterwards. Access: endpoints:write. */
  'PUT /v1/tenants/{tenant_id}/event-types/{type}/versions/{version}': {
    input: {
      params: {
        tenant_id: string;
        type: string;
        version: string;
      };
      body: {
        /** A JSON Schema (2020-12) of the `data` of events, self-contained. */
        schema: Record<string, unknown> | boolean;
        description?: string | undefined;
        /** A `data` that the schema accepts. */
        example?: unknown;
        /** `deprecated` versions are still taken; events of an `archived` one count as not valid. */
        state?: 'active' | 'deprecated' | 'archived' | undefined;
        casts?: {
          /** A version of an older major: `1.2`, or `1.x` for the newest that is there now. */
          from: string;
          /** Older path → newer path, such as `customer_id` → `customer.id`. */
          renames?: Record<string, string> | undefined;
          /** Newer path → what it is in events of the older version. Left out for receivers of the older one. */
          defaults?: Record<string, unknown> | undefined;
          /** Older paths that the newer version has no more. */
          removes?: readonly string[] | undefined;
          /** The same, with what receivers of the older version get there. */
          restores?: Record<string, unknown> | undefined;
        } | null | undefined;
        /** What becomes of events that their schema refuses: nothing (`off`), a line in the log (`warn`), or 422 (`enforce`). */
        validation?: 'off' | 'warn' | 'enforce' | undefined;
      };
    };
    answer: EventTypeVersion;
  };
  /** Read a version of an event type: its schema, example and casts. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/event-types/{type}/versions/{version}': {
    input: {
      params: {
        tenant_id: string;
        type: string;
        version: string;
      };
    };
    answer: EventTypeVersion;
  };
  /** Change the description, the example or the state of a version. Access: endpoints:write. */
  'PATCH /v1/tenants/{tenant_id}/event-types/{type}/versions/{version}': {
    input: {
      params: {
        tenant_id: string;
        type: string;
        version: string;
      };
      body?: {
        description?: string | undefined;
        example?: unknown;
        /** `deprecated` versions are still taken; events of an `archived` one count as not valid. */
        state?: 'active' | 'deprecated' | 'archived' | undefined;
      };
    };
    answer: EventTypeVersion;
  };
  /** Tell what differs between two versions of an event type. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/event-types/{type}/diff': {
    input: {
      params: {
        tenant_id: string;
        type: string;
      };
      query: {
        from: string;
        to: string;
      };
    };
    answer: {
      type: string;
      from: string;
      to: string;
      /** Whether `to` accepts all that `from` accepts, as far as can be shown. */
      compatible: boolean;
      /** The first 100, by the paths of the lists below. */
      problems: ({
        path: string;
        message: string;
      })[];
      /** Cut at 256 Ki characters of JSON. */
      added: ({
        path: string;
        schema: unknown;
      })[];
      /** Cut at 256 Ki characters of JSON. */
      removed: ({
        path: string;
        schema: unknown;
      })[];
      /** Cut at 256 Ki characters of JSON. */
      changed: ({
        path: string;
        from: unknown;
        to: unknown;
      })[];
    };
  };
  /** List events. A page may hold fewer than `limit`: go on while `next` is not null. Access: events:read. */
  'GET /v1/tenants/{tenant_id}/events': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
        since?: string | undefined;
        until?: string | undefined;
        type?: string | undefined;
        subject?: string | undefined;
      };
    };
    answer: {
      data: Event[];
      next: string | null;
    };
  };
  /** Read an event, as stored and as delivered. Access: events:read. */
  'GET /v1/tenants/{tenant_id}/events/{event_id}': {
    input: {
      params: {
        tenant_id: string;
        event_id: string;
      };
    };
    answer: Event;
  };
  /** List the deliveries of an event. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/events/{event_id}/deliveries': {
    input: {
      params: {
        tenant_id: string;
        event_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
        status?: 'pending' | 'retrying' | 'delivered' | 'dead_lettered' | 'cancelled' | undefined;
      };
    };
    answer: {
      data: Delivery[];
      next: string | null;
    };
  };
  /** Expunge the payload of an event for good (of all that have the id, where a producer used it again) and cancel what waits; the fact and its attempts stay. Access: events:write. */
  'DELETE /v1/tenants/{tenant_id}/events/{event_id}/payload': {
    input: {
      params: {
        tenant_id: string;
        event_id: string;
      };
    };
    answer: undefined;
  };
  /** List deliveries. A page may hold fewer than `limit`: go on while `next` is not null. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/deliveries': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
        since?: string | undefined;
        until?: string | undefined;
        status?: 'pending' | 'retrying' | 'delivered' | 'dead_lettered' | 'cancelled' | undefined;
        type?: string | undefined;
        endpoint_id?: string | undefined;
        event_id?: string | undefined;
      };
    };
    answer: {
      data: Delivery[];
      next: string | null;
    };
  };
  /** Read a delivery. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/deliveries/{delivery_id}': {
    input: {
      params: {
        tenant_id: string;
        delivery_id: string;
      };
    };
    answer: Delivery;
  };
  /** List what was tried for a delivery, and what came of it. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/deliveries/{delivery_id}/attempts': {
    input: {
      params: {
        tenant_id: string;
        delivery_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: Attempt[];
      next: string | null;
    };
  };
  /** Make a delivery due now: one that waits at once, one that has ended from the start of its schedule. Access: deliveries:write. */
  'POST /v1/tenants/{tenant_id}/deliveries/{delivery_id}/retry': {
    input: {
      params: {
        tenant_id: string;
        delivery_id: string;
      };
      body?: Record<string, never>;
    };
    answer: Delivery;
  };
  /** End a delivery that waits. An attempt that is in flight is not called back. Access: deliveries:write. */
  'POST /v1/tenants/{tenant_id}/deliveries/{delivery_id}/cancel': {
    input: {
      params: {
        tenant_id: string;
        delivery_id: string;
      };
      body?: Record<string, never>;
    };
    answer: Delivery;
  };
  /** List the deliveries of all tenants that were set aside because their worker died each time they were tried. Access: operator. */
  'GET /v1/set-aside-deliveries': {
    input: {
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: SetAsideDelivery[];
      next: string | null;
    };
  };
  /** List dead letters. A page may hold fewer than `limit`: go on while `next` is not null. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/dead-letters': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
        since?: string | undefined;
        until?: string | undefined;
        endpoint_id?: string | undefined;
        type?: string | undefined;
        event_id?: string | undefined;
        reason?: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired' | undefined;
      };
    };
    answer: {
      data: DeadLetter[];
      next: string | null;
    };
  };
  /** Count dead letters by endpoint and by reason. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/dead-letters/stats': {
    input: {
      params: {
        tenant_id: string;
      };
    };
    answer: DeadLetterStats;
  };
  /** Inspect a dead letter: why it was given up, and what the receiver answered last. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/dead-letters/{delivery_id}': {
    input: {
      params: {
        tenant_id: string;
        delivery_id: string;
      };
    };
    answer: InspectedDeadLetter;
  };
  /** Make dead letters again: those that are named, those that pass the filter, or, with neither, all. Access: deliveries:write. */
  'POST /v1/tenants/{tenant_id}/dead-letters/redrive': {
    input: {
      params: {
        tenant_id: string;
      };
      body?: {
        delivery_ids?: readonly string[] | undefined;
        endpoint_id?: string | undefined;
        type?: string | undefined;
        event_id?: string | undefined;
        reason?: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired' | undefined;
        /** Events accepted at or after this time. */
        since?: string | undefined;
        /** Events accepted before this time. */
        until?: string | undefined;
      };
    };
    answer: Replay;
  };
  /** Give dead letters up for good: they become cancelled. Call again, with `next` as `cursor`, until `complete`. Access: deliveries:write. */
  'POST /v1/tenants/{tenant_id}/dead-letters/purge': {
    input: {
      params: {
        tenant_id: string;
      };
      body: {
        delivery_ids?: readonly string[] | undefined;
        endpoint_id?: string | undefined;
        type?: string | undefined;
        event_id?: string | undefined;
        reason?: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired' | undefined;
        /** Events accepted at or after this time. */
        since?: string | undefined;
        /** Events accepted before this time. */
        until?: string | undefined;
        /** Every dead letter of the tenant. */
        all?: true | undefined;
        /** The `next` of the call before, which asked for the same. */
        cursor?: string | undefined;
      };
    };
    answer: PurgeResult;
  };
  /** Make deliveries again, behind live traffic. Access: deliveries:write. */
  'POST /v1/tenants/{tenant_id}/replays': {
    input: {
      params: {
        tenant_id: string;
      };
      body?: {
        /** Deliveries to this endpoint alone. */
        endpoint_id?: string | undefined;
        /** Deliveries of this status are made again. Absent: every ended one, and with `endpoint_id` also the events that it would get today but never had. What waits for an attempt, or is in the midst of one, is left alone. */
        status?: 'delivered' | 'dead_lettered' | 'cancelled' | undefined;
        /** Dotted globs, as in subscriptions. */
        types?: readonly string[] | undefined;
        event_ids?: readonly string[] | undefined;
        /** Dead letters alone: takes `status: "dead_lettered"`. */
        delivery_ids?: readonly string[] | undefined;
        /** Dead letters that were given up for this reason: takes `status: "dead_lettered"`. */
        reason?: 'rejected' | 'blocked' | 'timeout' | 'dns' | 'refused' | 'reset' | 'tls' | 'protocol' | 'network' | 'gone' | 'disabled' | 'aborted' | 'expired' | undefined;
        /** Accepted at or after this time. Absent: as far back as events are kept. */
        since?: string | undefined;
        /** Accepted before this time. Absent: now. */
        until?: string | undefined;
      };
    };
    answer: Replay;
  };
  /** List replays. A page may hold fewer than `limit`: go on while `next` is not null. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/replays': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: Replay[];
      next: string | null;
    };
  };
  /** Read a replay and its progress. Access: deliveries:read. */
  'GET /v1/tenants/{tenant_id}/replays/{replay_id}': {
    input: {
      params: {
        tenant_id: string;
        replay_id: string;
      };
    };
    answer: Replay;
  };
  /** Cancel a replay: what it queued and nobody has tried yet is withdrawn. Access: deliveries:write. */
  'DELETE /v1/tenants/{tenant_id}/replays/{replay_id}': {
    input: {
      params: {
        tenant_id: string;
        replay_id: string;
      };
    };
    answer: undefined;
  };
  /** Begin to take events in from a broker. Access: operator. */
  'POST /v1/sources': {
    input: {
      body: {
        type: 'kafka';
        /** No two sources have the same. */
        name: string;
        /** Whose events these are. Absent: each message says it, by the mapping. */
        tenant_id?: string | undefined;
        mapping: {
          format: 'cloudevents';
          /** The extension attribute that names the tenant. Where the source has a tenant of its own, a message that names another is rejected. */
          tenant_extension?: string | undefined;
        } | {
          format: 'envelope';
        } | {
          format: 'mapped';
          tenant_id?: string | undefined;
          type: string;
          id?: string | undefined;
          idempotency_key?: string | undefined;
          subject?: string | undefined;
          correlation_id?: string | undefined;
          timestamp?: string | undefined;
          version?: string | undefined;
          data?: string | undefined;
        };
        connection: {
          /** Some brokers of the cluster, as host:port. */
          brokers: readonly string[];
          tls?: boolean | {
            /** Certificate authorities, in PEM, instead of those that Node knows. */
            ca?: string | undefined;
            /** Our own certificate, in PEM. */
            cert?: string | undefined;
            /** Its private key, in PEM. Never shown again. */
            key?: string | undefined;
            /** Name in the certificate, where it is not the host. */
            server_name?: string | undefined;
          } | undefined;
          sasl?: {
            /** In upper or lower case. */
            mechanism: 'PLAIN' | 'plain' | 'SCRAM-SHA-256' | 'scram-sha-256' | 'SCRAM-SHA-512' | 'scram-sha-512';
            username: string;
            /** Never shown again. */
            password: string;
          } | undefined;
        };
        consume: {
          topics?: readonly string[] | undefined;
          /** A regular expression that whole names of topics match, those that come later too. Internal ones never do. */
          pattern?: string | undefined;
          /** Consumer group. */
          group: string;
          /** Where to begin in a partition that the group has not read yet. */
          start?: 'earliest' | 'latest' | undefined;
        };
        /** Where messages that are no event are published to as well. `consume.topics` may not have it; a `pattern` does not match it. */
        on_rejected?: {
          dead_letter_topic: string;
        } | undefined;
      } | {
        type: 'rabbitmq';
        /** No two sources have the same. */
        name: string;
        /** Whose events these are. Absent: each message says it, by the mapping. */
        tenant_id?: string | undefined;
        mapping: {
          format: 'cloudevents';
          /** The extension attribute that names the tenant. Where the source has a tenant of its own, a message that names another is rejected. */
          tenant_extension?: string | undefined;
        } | {
          format: 'envelope';
        } | {
          format: 'mapped';
          tenant_id?: string | undefined;
          type: string;
          id?: string | undefined;
          idempotency_key?: string | undefined;
          subject?: string | undefined;
          correlation_id?: string | undefined;
          timestamp?: string | undefined;
          version?: string | undefined;
          data?: string | undefined;
        };
        connection: {
          /** `amqp://user:password@host:5672/vhost` or `amqps://…` in place of hosts, vhost, username and password. */
          url?: string | undefined;
          /** Nodes of the cluster, as host:port, tried in turn. */
          hosts?: readonly string[] | undefined;
          /** Virtual host; `/` unless given. */
          vhost?: string | undefined;
          username?: string | undefined;
          /** Never shown again. */
          password?: string | undefined;
          tls?: boolean | {
            /** Certificate authorities, in PEM, instead of those that Node knows. */
            ca?: string | undefined;
            /** Our own certificate, in PEM. */
            cert?: string | undefined;
            /** Its private key, in PEM. Never shown again. */
            key?: string | undefined;
            /** Name in the certificate, where it is not the host. */
            server_name?: string | undefined;
          } | undefined;
          /** A connection that is silent for twice as long is given up. */
          heartbeat_seconds?: number | undefined;
        };
        consume: {
          exchange?: {
            name: string;
            type?: 'topic' | 'direct' | 'fanout' | 'headers' | undefined;
            durable?: boolean | undefined;
            /** Made where it is missing. false: only checked to be there. */
            declare?: boolean | undefined;
          } | undefined;
          queue: {
            name: string;
            type?: 'quorum' | 'classic' | undefined;
            /** Made where it is missing. false: only checked to be there. */
            declare?: boolean | undefined;
            /** One consumer at a time, the others wait: what keeps the order of the queue when there are several processes. */
            single_active_consumer?: boolean | undefined;
            /** Where the broker itself puts messages that it gives up. */
            dead_letter_exchange?: string | undefined;
            dead_letter_routing_key?: string | undefined;
            /** How often the broker delivers a message before it gives it up; -1 (RabbitMQ 4): never. Quorum queues only. */
            delivery_limit?: -1 | number | undefined;
          };
          /** Between the exchange and the queue. */
          bindings?: readonly ({
            /** `#` and `*` are wildcards of topic exchanges. */
            routing_key?: string | undefined;
            /** What a headers exchange compares; with `x-match`. */
            headers?: Record<string, string | number | boolean> | undefined;
          })[] | undefined;
          /** Messages that a consumer holds at most. */
          prefetch?: number | undefined;
          /** In each process. Several keep no order. */
          consumers?: number | undefined;
        };
        /** Where messages that are no event are published to as well. */
        on_rejected?: {
          /** An exchange that is there. */
          dead_letter_exchange: string;
          /** The message’s own unless given. */
          dead_letter_routing_key?: string | undefined;
        } | undefined;
      };
    };
    answer: Source;
  };
  /** List sources with their state and lag. Access: operator. */
  'GET /v1/sources': {
    input: {
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: Source[];
      next: string | null;
    };
  };
  /** Read a source with its state and lag. Access: operator. */
  'GET /v1/sources/{source_id}': {
    input: {
      params: {
        source_id: string;
      };
    };
    answer: Source;
  };
  /** Take nothing more in from a source; what it rejected stays until retention. Access: operator. */
  'DELETE /v1/sources/{source_id}': {
    input: {
      params: {
        source_id: string;
      };
    };
    answer: undefined;
  };
  /** Take nothing in from a source until it is resumed. Access: operator. */
  'POST /v1/sources/{source_id}/pause': {
    input: {
      params: {
        source_id: string;
      };
    };
    answer: Source;
  };
  /** Take events in from a source again. Access: operator. */
  'POST /v1/sources/{source_id}/resume': {
    input: {
      params: {
        source_id: string;
      };
    };
    answer: Source;
  };
  /** List the messages of a source that are no event. Access: operator. */
  'GET /v1/sources/{source_id}/rejected': {
    input: {
      params: {
        source_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
        /** Only those rejected for this reason. */
        reason?: string | undefined;
        /** Only those of this partition (`topic/partition`) or queue. */
        group?: string | undefined;
      };
    };
    answer: {
      data: RejectedMessage[];
      next: string | null;
    };
  };
  /** Read a rejected message, bytes and all. Access: operator. */
  'GET /v1/sources/{source_id}/rejected/{message_id}': {
    input: {
      params: {
        source_id: string;
        /** Id of the rejected message. */
        message_id: string;
      };
    };
    answer: RejectedMessageWithBytes;
  };
  /** Try rejected messages again, by the mapping that the source has now; those that were cut short are left out. Access: operator. */
  'POST /v1/sources/{source_id}/rejected/retry': {
    input: {
      params: {
        source_id: string;
      };
      body?: {
        ids?: readonly string[] | undefined;
        /** Only those rejected for this reason. */
        reason?: string | undefined;
        /** Only those of this partition (`topic/partition`) or queue. */
        group?: string | undefined;
      };
    };
    answer: {
      messages: number;
    };
  };
  /** Forget rejected messages. Access: operator. */
  'POST /v1/sources/{source_id}/rejected/discard': {
    input: {
      params: {
        source_id: string;
      };
      body?: {
        ids?: readonly string[] | undefined;
        /** Only those rejected for this reason. */
        reason?: string | undefined;
        /** Only those of this partition (`topic/partition`) or queue. */
        group?: string | undefined;
      };
    };
    answer: {
      messages: number;
    };
  };
  /** List the changes of a tenant's configuration. A page may hold fewer than `limit`: go on while `next` is not null. Access: endpoints:read. */
  'GET /v1/tenants/{tenant_id}/audit': {
    input: {
      params: {
        tenant_id: string;
      };
      query?: {
        limit?: number | undefined;
        cursor?: string | undefined;
      };
    };
    answer: {
      data: AuditEntry[];
      next: string | null;
    };
  };
  /** Whether the process makes progress: when it does not, restart it. Access: public. */
  'GET /healthz': {
    input: Record<never, never>;
    answer: {
      status: string;
      /** What is wrong, in a few words each; empty when all is well. */
      problems: string[];
    };
  };
  /** Whether the process can do its work now: when it cannot, send it none. Access: public. */
  'GET /readyz': {
    input: Record<never, never>;
    answer: {
      status: string;
      /** What is wrong, in a few words each; empty when all is well. */
      problems: string[];
    };
  };
  /** What the process measures, for Prometheus. Access: public. */
  'GET /metrics': {
    input: Record<never, never>;
    answer: string;
  };
  /** This document. Access: public. */
  'GET /openapi.json': {
    input: Record<never, never>;
    answer: Record<string, unknown>;
  };
  /** The calls of the API, for people. Access: public. */
  'GET /docs': {
    input: Record<never, never>;
    answer: string;
  };
}

/** What is wrong, for programs: docs/errors.md of Posthorn says what to do about each. */
export type ProblemCode =
  | 'invalid_request'
  | 'invalid_json'
  | 'incomplete_body'
  | 'unauthorized'
  | 'forbidden'
  | 'missing_scope'
  | 'not_found'
  | 'tenant_not_found'
  | 'key_not_found'
  | 'endpoint_not_found'
  | 'event_type_not_found'
  | 'version_not_found'
  | 'preset_not_found'
  | 'event_not_found'
  | 'delivery_not_found'
  | 'dead_letter_not_found'
  | 'replay_not_found'
  | 'source_not_found'
  | 'rejected_message_not_found'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'idempotency_conflict'
  | 'tenant_exists'
  | 'too_many_endpoints'
  | 'too_many_secrets'
  | 'endpoint_disabled'
  | 'validation_not_wanted'
  | 'version_exists'
  | 'incompatible_schema'
  | 'too_many_event_types'
  | 'too_many_versions'
  | 'conflict'
  | 'endpoint_deleted'
  | 'payload_expunged'
  | 'delivery_ended'
  | 'too_many_replays'
  | 'replay_finished'
  | 'source_exists'
  | 'source_of_file'
  | 'too_large'
  | 'fan_out_too_large'
  | 'over_burst'
  | 'unsupported_media_type'
  | 'unsupported_encoding'
  | 'expectation_failed'
  | 'invalid'
  | 'invalid_event'
  | 'invalid_batch'
  | 'empty_batch'
  | 'too_costly_to_route'
  | 'too_much_filter_text'
  | 'too_deep'
  | 'invalid_cursor'
  | 'unmapped'
  | 'rate_limited'
  | 'backlog_full'
  | 'too_many_scans'
  | 'too_many_trials'
  | 'headers_too_large'
  | 'internal'
  | 'secret_unreadable'
  | 'starting'
  | 'unavailable'
  | 'storage_unavailable'
  | 'overloaded';
