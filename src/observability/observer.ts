import type { Logger } from 'pino';
import { deliveryIdOf, eventIdOf } from '../domain/ids.ts';
import { quoted } from '../domain/quoted.ts';
import { attemptMembers } from './attempt-line.ts';
import { BoundedLabel } from './bounded-label.ts';
import { countSettled } from './count-settled.ts';
import type {
  AcceptedEvent,
  AttemptIds,
  EgressChangeFact,
  ExpiredOfEndpoint,
  FailedRequest,
  FinishedAttempt,
  GateChange,
  MisfitEvent,
  SetAsideDeliveryFact,
  SettledFact,
  ToldNotices,
  ValidatedEndpoint,
  WaitingMigration,
} from './facts.ts';
import { faultOf } from './fault-of.ts';
import type { Figures } from './installation-figures.ts';
import { LineTeller } from './line-teller.ts';
import type { LogFields, NamedUnder } from './log-events.ts';
import type { InfoWriter } from './logger.ts';
import { Metrics } from './metrics.ts';
import type { CountedPool } from './pool-metrics.ts';
import type { StateReaders } from './process-states.ts';
import { SourceObserver } from './source-observer.ts';

/** Endpoints that have a line of their own for what expired at once. */
const EXPIRED_LINES = 100;

/**
 * Names every event of the business, writes each as one wide line, and counts it. Lines carry ids, classes, counts and times: never a
 * secret, a header, a payload or a URL. What comes by the thousand a second comes here in batches.
 */
export class Observer {
  readonly metrics = new Metrics();
  readonly sources: SourceObserver;
  readonly #lines: LineTeller;
  readonly #writeInfo: InfoWriter;
  readonly #work = new BoundedLabel();
  readonly #codes = new BoundedLabel();
  /** Events of a type that were no line of their own. */
  readonly #misfits = new Map<string, number>();
  /** Since that was told. */
  #linesDropped = 0;

  constructor(log: Logger, writeInfo: InfoWriter) {
    this.#lines = new LineTeller(log);
    this.sources = new SourceObserver(this.metrics.sources, this.#lines);
    this.#writeInfo = writeInfo;
  }

  /** Lines of the log found no place. There is none to say so either, until `logCaughtUp`. */
  linesDropped(lines: number): void {
    this.metrics.linesDropped.inc(lines);
    this.#linesDropped += lines;
  }

  logCaughtUp(): void {
    this.#lines.tell('log.dropped', { lines: this.#linesDropped });
    this.#linesDropped = 0;
  }

  /** Events that were committed together. */
  eventsAccepted(events: readonly AcceptedEvent[]): void {
    const { accepted, acceptedBytes, queued } = this.metrics.ingest;
    let allBytes = 0;
    let allDeliveries = 0;
    for (const { uuid, externalId, tenantId, type, bytes, deliveries } of events) {
      allBytes += bytes;
      allDeliveries += deliveries;
      const id = quoted(externalId ?? eventIdOf(uuid));
      this.#writeInfo(
        'event.accepted',
        `"event_id":${id},"tenant_id":"${tenantId}","type":${quoted(type)},"bytes":${bytes},"deliveries":${deliveries}`,
      );
    }
    accepted.inc(events.length);
    acceptedBytes.inc(allBytes);
    queued.inc(allDeliveries);
  }

  eventsDuplicate(count: number): void {
    this.metrics.ingest.duplicates.inc(count);
  }

  /** A request that brought events was refused, with the code of its problem. */
  ingestRefused(code: string): void {
    this.metrics.ingest.refused.inc({ code: this.#codes.of(code) });
  }

  /** The statement of a group commit has ended well. */
  committed(events: number, ms: number): void {
    this.metrics.ingest.commitEvents.observe(events);
    this.metrics.ingest.commitSeconds.observe(ms / 1000);
  }

  /** One line a second for each type says how many there were since the last. No paths: their names may come from the payload. */
  eventMisfit({ tenantId, type, version, faults }: MisfitEvent): void {
    this.metrics.ingest.misfits.inc();
    const key = `event.misfit ${tenantId} ${type}`;
    const count = (this.#misfits.get(key) ?? 0) + 1;
    if (this.#misfits.size > 1_000) this.#misfits.clear();
    this.#misfits.set(key, count);
    const line = { tenant_id: tenantId, type, version, faults: faults.length, events: count };
    if (this.#lines.throttled('event.misfit', line, key)) this.#misfits.delete(key);
  }

  attemptFinished(attempt: FinishedAttempt, ids: AttemptIds): void {
    this.#writeInfo('attempt.finished', attemptMembers(attempt, ids));
  }

  /**
   * A statement wrote attempts down.
   * @param held the lanes that were still ours: attempts of others changed nothing
   */
  attemptsSettled(attempts: readonly SettledFact[], held: ReadonlySet<number>, ms: number): void {
    countSettled(this.metrics.deliveries, attempts, held);
    this.metrics.deliveries.settleAttempts.observe(attempts.length);
    this.metrics.deliveries.settleSeconds.observe(ms / 1000);
  }

  /** Postgres refused the records of attempts for what is in them, and the deliveries were ended without. */
  attemptsGivenUp(count: number): void {
    this.metrics.deliveries.givenUp.inc(count);
  }

  /** A delivery became a dead letter otherwise than by an attempt that was written down. */
  deadLettered(): void {
    this.metrics.deliveries.deadLetters.inc();
  }

  /** The statement that fetches due deliveries has ended. */
  fetched(ms: number): void {
    this.metrics.deliveries.fetchSeconds.observe(ms / 1000);
  }

  egressChanged({ kind, ...details }: EgressChangeFact): void {
    this.#lines.tell(`egress.${kind}`, details);
    this.metrics.deliveries.egressHeld.set(kind === 'held' ? 1 : 0);
  }

  gateChanged({ kind, tenantId, endpointId, ...details }: GateChange): void {
    const { untilMs, reason } = details;
    this.metrics.deliveries.gateChanges.inc({ kind });
    this.#lines.tell(`endpoint.${kind}`, {
      tenant_id: tenantId,
      endpoint_id: endpointId,
      ...(reason === undefined ? {} : { reason }),
      ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
    });
  }

  endpointValidated({ endpointId, tenantId, result }: ValidatedEndpoint): void {
    this.#lines.tell(`endpoint.validation_${result}`, { tenant_id: tenantId, endpoint_id: endpointId });
  }

  noticesTold({ tenantId, endpointId, endpoints, kind, count, events }: ToldNotices): void {
    this.metrics.deliveries.notices.inc({ kind }, count);
    const about = endpointId === null ? { endpoints } : { endpoint_id: endpointId };
    this.#lines.tell('notices.told', { tenant_id: tenantId, ...about, kind, count, events });
  }

  requestFailed({ requestId, method, path, status, error }: FailedRequest): void {
    this.metrics.ingest.requestFailures.inc({ status: String(status) });
    this.#lines.tell('request.failed', { request_id: requestId, method, path, status, ...faultOf(error) });
  }

  commitFailed(error: unknown, events: number): void {
    this.metrics.ingest.commitFailures.inc(events);
    this.#lines.throttled('commit.failed', { events, ...faultOf(error) });
  }

  /**
   * Infrastructure that is away says so many times a second: one line a second for each thing is enough.
   * @param what its first word says of what kind it is
   * @param about whose work it was, where it was somebody's: each endpoint is a thing of its own
   */
  workFailed(what: string, error: unknown, { deliveryId, endpointId, tenantId }: Partial<AttemptIds> = {}): void {
    this.metrics.work.failures.inc({ work: this.#work.of(what.split(' ', 1)[0]!) });
    const ids = {
      ...(deliveryId === undefined ? {} : { delivery_id: deliveryId }),
      ...(endpointId === undefined ? {} : { endpoint_id: endpointId }),
      ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
    };
    this.#lines.throttled(
      'work.failed',
      { what, ...ids, ...faultOf(error) },
      `${what.replace(/\d+/g, '')} ${endpointId ?? ''}`,
    );
  }

  queueFailed(error: unknown): void {
    this.metrics.work.queueFailures.inc();
    this.#lines.throttled('queue.failed', faultOf(error));
  }

  lifecycle<What extends NamedUnder<'service'>>(what: What, details: LogFields<`service.${What}`> = {}): void {
    this.#lines.tell(`service.${what}`, details);
  }

  /** @param beside names of variables that are set */
  databaseUrlEmpty(beside: readonly string[]): void {
    this.#lines.tell('database.url_empty', { beside: beside.join(',') });
  }

  /** Migrations of a later version were applied to the database. */
  databaseNewer(migrations: readonly string[]): void {
    this.#lines.tell('database.newer', { migrations: migrations.join(',') });
  }

  /** Before the process serves anybody: a migration waits, or is tried again. */
  migrationWaits({ migration, waitsFor }: WaitingMigration): void {
    this.#lines.tell('database.migration_waits', { ...(migration === null ? {} : { migration }), waits_for: waitsFor });
  }

  /** A delivery that killed its worker again and again is tried no more before someone retries it by hand. */
  deliverySetAside({ eventUuid, endpointNum, strikes }: SetAsideDeliveryFact): void {
    this.metrics.deliveries.setAside.inc();
    this.#lines.tell('delivery.set_aside', { delivery_id: deliveryIdOf(eventUuid, endpointNum), crashes: strikes });
  }

  /**
   * What still waited when the days of its events were dropped: dead letters now.
   * @param expired those of most deliveries first, which have lines of their own; the others have one for all
   */
  deliveriesExpired(expired: readonly ExpiredOfEndpoint[]): void {
    const sum = (of: readonly ExpiredOfEndpoint[]) => of.reduce((total, { count }) => total + count, 0);
    this.metrics.deliveries.expired.inc(sum(expired));
    this.metrics.deliveries.deadLetters.inc(sum(expired));
    for (const { tenantId, endpointId, count } of expired.slice(0, EXPIRED_LINES))
      this.#lines.tell('delivery.expired', { tenant_id: tenantId, endpoint_id: endpointId, count });
    const others = expired.slice(EXPIRED_LINES);
    if (others.length > 0) this.#lines.tell('delivery.expired', { endpoints: others.length, count: sum(others) });
  }

  /** Workers whose process died, and the lanes that need not wait for their leases. */
  workersGone(gone: { readonly workers: number; readonly lanes: number }): void {
    this.metrics.work.workersGone.inc(gone.workers);
    this.metrics.work.lanesFreed.inc(gone.lanes);
    this.#lines.tell('worker.gone', gone);
  }

  /** Somebody else has a lane that this process thought to hold. */
  leaseLost(lane: number): void {
    this.metrics.work.leasesLost.inc();
    this.#lines.tell('lane.lost', { lane });
  }

  /** Due work that nobody had been woken for. */
  lanesFoundAsleep(lanes: number): void {
    this.metrics.work.lanesFound.inc(lanes);
  }

  /** A duty was done. @param details what it changed; null when there was nothing to do */
  housekeeping(duty: NamedUnder<'housekeeping'>, details: Record<string, string | number> | null): void {
    this.metrics.work.duties.inc({ duty, result: 'ok' });
    this.metrics.work.dutiesAt.set({ duty }, Math.floor(Date.now() / 1000));
    if (details !== null) this.#lines.tell(`housekeeping.${duty}`, details);
  }

  /** A duty was not done: another process is at it. */
  housekeepingLeft(duty: string): void {
    this.metrics.work.duties.inc({ duty, result: 'left' });
  }

  housekeepingFailed(duty: string, error: unknown): void {
    this.metrics.work.duties.inc({ duty, result: 'failed' });
    this.workFailed(duty, error);
  }

  /** What the process can say of itself at any moment. */
  watchProcess(readers: StateReaders): void {
    this.metrics.states.add(readers);
  }

  watchPool(name: string, pool: CountedPool): void {
    this.metrics.pools.add(name, pool);
  }

  /** What only Postgres knows. @param read one cheap statement */
  watchInstallation(read: () => Promise<Figures>): void {
    this.metrics.figures.readBy(read);
  }
}
