// What the console reads of the API's answers: no more than it shows. docs/openapi.json describes them.

export interface Page<T> {
  readonly data: readonly T[];
  readonly next: string | null;
}

export interface OwnKey {
  readonly kind: string;
  readonly tenant_id: string | null;
  readonly scopes: readonly string[];
}

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
}

export interface Endpoint {
  readonly tenant_id: string;
  readonly id: string;
  readonly url: string;
  readonly destination: { readonly type: string };
  readonly description: string;
  readonly subscriptions: readonly { readonly types?: readonly string[] | undefined; readonly filter?: unknown }[];
  readonly enabled: boolean;
  readonly disabled_reason: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly signature: string;
  readonly retry_schedule: readonly number[];
  readonly timeout_seconds: number;
  readonly rate_limit: { readonly per_second: number; readonly burst: number } | null;
  readonly max_in_flight: number;
  readonly order: string;
  readonly on_dead_letter: string;
  readonly format: string;
  readonly validation_status: { readonly state: string; readonly detail: string | null } | null;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface Breaker {
  readonly state: string;
  readonly open_until: string | null;
  readonly failures_in_a_row: number;
  readonly throttled_until: string | null;
  readonly failing_since: string | null;
}

export interface EndpointStats {
  readonly window_hours: number;
  readonly delivered: number;
  readonly failed_attempts: number;
  readonly dead_lettered: number;
  readonly success_rate: number | null;
  readonly latency_ms: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  readonly sampled: boolean;
  readonly breaker: Breaker;
  readonly backlog: { readonly pending: number; readonly retrying: number; readonly capped: boolean };
  readonly dead_letters: { readonly total: number; readonly capped: boolean };
}

export interface EndpointSecrets {
  readonly secret: string;
  readonly public_key?: string | undefined;
  readonly previous: readonly { readonly secret: string; readonly expires_at: string }[];
}

export interface EventFact {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly timestamp: string;
  readonly subject?: string | undefined;
  readonly correlation_id?: string | undefined;
  readonly accepted_at: string;
  readonly expunged_at: string | null;
}

export interface LastAttempt {
  readonly number: number;
  readonly started_at: string;
  readonly outcome: string;
  readonly status: number | null;
  readonly detail: string | null;
}

export interface Attempt extends LastAttempt {
  readonly is_late: boolean;
  readonly response: {
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly body_encoding: string;
  } | null;
  readonly timing: {
    readonly dns_ms: number | null;
    readonly connect_ms: number | null;
    readonly first_byte_ms: number | null;
    readonly total_ms: number;
  } | null;
  readonly next_attempt_at: string | null;
}

export interface Delivery {
  readonly id: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly endpoint_id: string;
  readonly status: string;
  readonly attempts: number;
  readonly next_attempt_at: string | null;
  readonly problem: string | null;
  readonly last_attempt: LastAttempt | null;
  readonly created_at: string;
}

export interface DeadLetter {
  readonly delivery_id: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly endpoint_id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly last_attempt: LastAttempt;
  readonly created_at: string;
  readonly expires_at: string;
}

export interface DeadLetterStats {
  readonly total: number;
  readonly by_reason: Readonly<Record<string, number>>;
  readonly capped: boolean;
}

export interface Replay {
  readonly id: string;
  readonly state: string;
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly request: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly finished_at: string | null;
}

export interface PausedKey {
  readonly subject: string | null;
  readonly delivery_id: string;
  readonly paused_at: string;
}

export interface Source {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly origin: string;
  readonly paused: boolean;
  readonly lag: number | null;
  readonly consumers: readonly {
    readonly process: string;
    readonly state: string;
    readonly error: string | null;
    readonly events: number;
    readonly duplicates: number;
    readonly rejected: number;
    readonly seen_at: string;
  }[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface RejectedMessage {
  readonly id: string;
  readonly position: string;
  readonly group: string;
  readonly reason: string;
  readonly detail: string;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly body_bytes: number;
  readonly truncated: boolean;
  readonly attempts: number;
  readonly retry_requested: boolean;
  readonly dead_letter_error: string | null;
  readonly message_at: string | null;
  readonly rejected_at: string;
}

export interface RejectedMessageInFull extends RejectedMessage {
  readonly key_base64: string | null;
  readonly body_base64: string;
  readonly headers: readonly { readonly name: string; readonly value_base64: string }[];
}

export interface SetAside {
  readonly delivery_id: string;
  readonly tenant_id: string;
  readonly endpoint_id: string;
  readonly crashes: number;
  readonly reason: string;
  readonly set_aside_at: string;
}

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface EventType {
  readonly type: string;
  readonly description: string;
  readonly validation: string;
  readonly versions: readonly {
    readonly version: string;
    readonly description: string;
    readonly state: string;
    readonly created_at: string;
  }[];
  readonly created_at: string;
  readonly updated_at: string;
}

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expires_at: string | null;
  readonly created_at: string;
}

export interface NewApiKey extends ApiKey {
  readonly key: string;
}
