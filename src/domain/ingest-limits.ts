/** What a tenant may send. Null: as much as it likes. */
export interface IngestLimits {
  readonly eventsPerSecond: number | null;
  /** Events that it may send at once after a pause. */
  readonly burstEvents: number;
  readonly bytesPerSecond: number | null;
  readonly burstBytes: number;
  /** Deliveries that may wait before it can send no more. */
  readonly backlog: number | null;
}

/** Limits as someone set them. Absent: what the next one says. Null: no limit, whatever the next one says. */
export interface LimitSettings {
  readonly events_per_second?: number | null | undefined;
  readonly burst_events?: number | undefined;
  readonly bytes_per_second?: number | null | undefined;
  readonly burst_bytes?: number | undefined;
  readonly backlog?: number | null | undefined;
}

/** What holds for tenants that have no limits of their own. */
export interface DefaultLimits extends LimitSettings {
  /** Of a tenant that is held to bytes: with less it could never send the largest event that is taken, however long it waited. Absent: one byte. */
  readonly least_burst_bytes?: number;
}

/** The limits that hold for a tenant. A burst that nobody set beside its rate is what comes in one second, and one event at the least. */
export function limitsOf(own: LimitSettings | null, defaults: DefaultLimits): IngestLimits {
  const events = own?.events_per_second === undefined ? defaults : own;
  const bytes = own?.bytes_per_second === undefined ? defaults : own;
  const backlog = own?.backlog === undefined ? defaults.backlog : own.backlog;
  const leastBytes = defaults.least_burst_bytes ?? 1;
  return {
    eventsPerSecond: events.events_per_second ?? null,
    burstEvents: own?.burst_events ?? events.burst_events ?? Math.max(1, Math.ceil(events.events_per_second ?? 0)),
    bytesPerSecond: bytes.bytes_per_second ?? null,
    burstBytes: own?.burst_bytes ?? bytes.burst_bytes ?? Math.max(leastBytes, Math.ceil(bytes.bytes_per_second ?? 0)),
    backlog: backlog ?? null,
  };
}
