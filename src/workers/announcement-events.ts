import { deliveryIdOf, eventIdOf, newUuid } from '../domain/ids.ts';
import { systemType } from '../domain/notice.ts';
import { type PendingEvent, sealEvent } from '../ingest/seal-event.ts';
import type { AnnouncedAttempt, AnnouncedEndpoint } from '../store/announcement-facts.ts';
import { type Announcement, MOST_SINGLES, type NoticeSample } from '../store/announcements.ts';

export interface AnnouncementFacts {
  readonly endpoint: AnnouncedEndpoint;
  readonly attemptOf: (sample: NoticeSample) => AnnouncedAttempt | undefined;
  /** Postgres's clock. */
  readonly nowMs: number;
}

/**
 * Makes the events of an announcement: one for each notice where there are few, else one for all. Their idempotency keys follow from
 * the announcement, so that a second try stores nothing twice.
 */
export function announcementEvents(announcement: Announcement, facts: AnnouncementFacts): PendingEvent[] {
  const { count, samples, firstAtMs, lastAtMs, endpointNum } = announcement;
  const { id, description } = facts.endpoint;
  const endpoint = { id, description };
  const told = samples.map((sample) => toldOf(sample, endpointNum, facts.attemptOf(sample)));
  if (count <= MOST_SINGLES) {
    return samples.map((sample, i) => seal(announcement, facts, i, sample.atMs, { endpoint, ...told[i]!.single }));
  }
  const list = {
    count,
    first_at: iso(firstAtMs),
    last_at: iso(lastAtMs),
    examples: told.map(({ example }) => example),
  };
  return [seal(announcement, facts, 0, lastAtMs, { endpoint, ...list })];
}

function toldOf(sample: NoticeSample, endpointNum: number, attempt: AnnouncedAttempt | undefined) {
  const { atMs, eventUuid, detail } = sample;
  if (eventUuid === null) return { single: detail, example: { at: iso(atMs), ...detail } };
  const delivery = {
    id: deliveryIdOf(eventUuid, endpointNum),
    event_id: attempt?.externalId ?? eventIdOf(eventUuid),
    event_type: attempt?.eventType ?? null,
    attempt: sample.attempt,
    outcome: attempt?.outcome ?? null,
    status: attempt?.status ?? null,
    next_attempt_at: attempt?.nextAttemptAt?.toISOString() ?? null,
  };
  return { single: { delivery }, example: { at: iso(atMs), delivery } };
}

function seal(
  { id, kind, endpointNum }: Announcement,
  { endpoint, nowMs }: AnnouncementFacts,
  index: number,
  atMs: number,
  data: object,
): PendingEvent {
  const input = { type: systemType(kind), timestamp: iso(atMs), subject: endpoint.id, data };
  const metadata = { source: 'posthorn' };
  const texts = { dataText: JSON.stringify(data), metadataText: JSON.stringify(metadata) };
  const key = `posthorn-${id}-${index}`;
  const event = sealEvent({ input, value: { data, metadata }, ...texts }, endpoint.tenant, newUuid(nowMs), nowMs, key);
  return { ...event, exceptEndpoint: endpointNum };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
