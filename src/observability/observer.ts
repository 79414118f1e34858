import type { Logger } from 'pino';
import { deliveryIdOf, eventIdOf } from '../domain/ids.ts';
import type { NoticeKind } from '../domain/notice.ts';
import type { Decision, Outcome } from '../domain/outcome.ts';

export interface AcceptedEvent {
  readonly uuid: string;
  readonly externalId: string | null;
  readonly tenantNum: number;
  readonly type: string;
  readonly bytes: number;
  readonly deliveries: number;
}

export interface FinishedAttempt {
  readonly eventUuid: string;
  readonly endpointNum: number;
  readonly endpointId: string;
  readonly tenantId: string;
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly decision: Decision;
}

export interface ToldNotices {
  readonly tenantNum: number;
  readonly endpointNum: number;
  readonly kind: NoticeKind;
  /** Notices that were told of together. */
  readonly count: number;
  /** Events made of them; 0 when no endpoint of the tenant subscribes to their type. */
  readonly events: number;
}

/** What became of an endpoint's breaker or throttle. */
export interface GateChange {
  readonly kind: 'breaker_opened' | 'breaker_closed' | 'throttled' | 'worn_out';
  readonly tenantId: string;
  readonly endpointId: string;
  readonly reason?: string;
  readonly untilMs?: number;
}

export interface SetAsideDelivery {
  readonly eventUuid: string;
  readonly endpointNum: number;
  /** Workers that died while they tried it. */
  readonly strikes: number;
}

/** An accepted event that is not what its type's schema says. */
export interface MisfitEvent {
  readonly tenantId: string;
  readonly type: string;
  readonly version: string;
  readonly faults: readonly { readonly path: string }[];
}

/**
 * Names every event of the business, and writes each as one wide line. Lines carry ids, classes, counts and times: never a secret, a
 * header, a payload or a URL.
 */
export class Observer {
  readonly #log: Logger;
  #quiet = new Map<string, number>();
  /** Events of a type that were no line of their own. */
  readonly #misfits = new Map<string, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  eventAccepted(event: AcceptedEvent): void {
    const { uuid, externalId, tenantNum, type, bytes, deliveries } = event;
    this.#log.info({
      event: 'event.accepted',
      event_id: externalId ?? eventIdOf(uuid),
      tenant: tenantNum,
      type,
      bytes,
      deliveries,
    });
  }

  /** One line a second for each type says how many there were since the last. No paths: their names may come from the payload. */
  eventMisfit({ tenantId, type, version, faults }: MisfitEvent): void {
    const key = `event.misfit ${tenantId} ${type}`;
    const count = (this.#misfits.get(key) ?? 0) + 1;
    if (this.#misfits.size > 1_000) this.#misfits.clear();
    this.#misfits.set(key, count);
    const line = { tenant_id: tenantId, type, version, faults: faults.length, events: count };
    if (this.#throttled('event.misfit', line, key)) this.#misfits.delete(key);
  }

  attemptFinished({ eventUuid, endpointNum, endpointId, tenantId, attempt, outcome, decision }: FinishedAttempt): void {
    this.#log.info({
      event: 'attempt.finished',
      delivery_id: deliveryIdOf(eventUuid, endpointNum),
      endpoint_id: endpointId,
      tenant_id: tenantId,
      attempt,
      outcome: outcome.kind,
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
      ...('response' in outcome ? { status: outcome.response.status } : {}),
      ...('timing' in outcome ? { total_ms: Math.round(outcome.timing.totalMs) } : {}),
      decision: decision.kind,
      ...('delayMs' in decision ? { retry_in_ms: Math.round(decision.delayMs) } : {}),
    });
  }

  egressChanged({
    kind,
    ...details
  }: {
    kind: 'held' | 'released';
    fault: string;
    failing: number;
    endpoints: number;
  }): void {
    this.#log.warn({ event: `egress.${kind}`, ...details });
  }

  gateChanged({ kind, tenantId, endpointId, ...details }: GateChange): void {
    const { untilMs, reason } = details;
    this.#log.warn({
      event: `endpoint.${kind}`,
      tenant_id: tenantId,
      endpoint_id: endpointId,
      ...(reason === undefined ? {} : { reason }),
      ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
    });
  }

  noticesTold({ tenantNum, endpointNum, kind, count, events }: ToldNotices): void {
    this.#log.info({ event: 'notices.told', tenant: tenantNum, endpoint: endpointNum, kind, count, events });
  }

  /** What a consumer does now. */
  sourceChanged({ id, name, state, error }: { id: string; name: string; state: string; error: string | null }): void {
    this.#log.info({
      event: 'source.changed',
      source_id: id,
      source: name,
      state,
      ...(error === null ? {} : { error }),
    });
  }

  /** Messages of a source that are no event, by reason. One line a second for each source is enough. */
  messagesRejected({ source, reasons }: { source: string; reasons: ReadonlyMap<string, number> }): void {
    this.#throttled('source.rejected', { source, ...Object.fromEntries(reasons) }, `source.rejected ${source}`);
  }

  requestFailed(request: { requestId: string; method: string; path: string; status: number; error: unknown }): void {
    const { requestId, method, path, status, error } = request;
    this.#log.error({ event: 'request.failed', request_id: requestId, method, path, status, ...faultOf(error) });
  }

  commitFailed(error: unknown, events: number): void {
    this.#throttled('commit.failed', { events, ...faultOf(error) });
  }

  /** Infrastructure that is away says so many times a second: one line a second for each thing is enough. */
  workFailed(what: string, error: unknown): void {
    this.#throttled('work.failed', { what, ...faultOf(error) }, what.replace(/\d+/g, ''));
  }

  queueFailed(error: unknown): void {
    this.#throttled('queue.failed', faultOf(error));
  }

  lifecycle(what: string, details: Record<string, string | number | boolean> = {}): void {
    this.#log.info({ event: `service.${what}`, ...details });
  }

  /** A delivery that killed its worker again and again is tried no more before someone retries it by hand. */
  deliverySetAside({ eventUuid, endpointNum, strikes }: SetAsideDelivery): void {
    this.#log.error({
      event: 'delivery.set_aside',
      delivery_id: deliveryIdOf(eventUuid, endpointNum),
      crashes: strikes,
    });
  }

  /** Workers whose process died, and the lanes that need not wait for their leases. */
  workersGone(gone: { readonly workers: number; readonly lanes: number }): void {
    this.#log.warn({ event: 'worker.gone', ...gone });
  }

  housekeeping(what: string, details: Record<string, string | number> = {}): void {
    this.#log.info({ event: `housekeeping.${what}`, ...details });
  }

  /** @returns whether it was written */
  #throttled(event: string, details: object, key: string = event): boolean {
    const now = Date.now();
    if (now - (this.#quiet.get(key) ?? 0) < 1_000) return false;
    if (this.#quiet.size > 1_000) this.#quiet.clear();
    this.#quiet.set(key, now);
    this.#log.warn({ event, ...details });
    return true;
  }
}

/** An error as far as a log may know it: drivers put connection strings and row values into other fields. */
function faultOf(error: unknown): Record<string, unknown> {
  const { name, message, code, stack } = (error ?? {}) as {
    name?: string;
    message?: string;
    code?: string;
    stack?: string;
  };
  const isOurs = code === undefined && stack !== undefined;
  return {
    error: name ?? 'unknown',
    ...(code === undefined ? {} : { code }),
    message: redact(message ?? String(error)),
    ...(isOurs ? { stack: redact(stack) } : {}),
  };
}

/** What stands before the last @ of a URL goes: passwords hold slashes and @ where nobody encoded them. */
export function redact(text: string): string {
  return text
    .replace(/\b([a-z+]+:\/\/)[^\s"']*@/gi, '$1***@')
    .replace(/\b(wh[a-z]{2,3}_|ph[ko]_)[A-Za-z0-9+/=_-]+/g, '$1***');
}
