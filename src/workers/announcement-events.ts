import { deliveryIdOf, eventIdOf, newUuid } from '../domain/ids.ts';
import { systemType } from '../domain/notice.ts';
import { type PendingEvent, sealEvent } from '../ingest/seal-event.ts';
import type { AnnouncedAttempt, AnnouncedEndpoint } from '../store/announcement-facts.ts';
import { type Announcement, MOST_SINGLES, type NoticeSample } from '../store/announcements.ts';

/** Endpoints that an event about many names; it says of how many it is. */
export const MOST_NAMED = 100;

export interface AnnouncementFacts {
  /** The first endpoint, and the tenant of all. */
  readonly endpoint: AnnouncedEndpoint;
  readonly endpointOf: (endpointNum: number) => AnnouncedEndpoint | undefined;
  readonly attemptOf: (sample: NoticeSample) => AnnouncedAttempt | undefined;
  /** Postgres's clock. */
  readonly nowMs: number;
}

/**
 * Makes the events of an announcement: one for each notice where there are few of one endpoint, else one for all. Their idempotency keys
 * follow from the announcement, so that a second try stores nothing twice.
 */
export function announcementEvents(announcement: Announcement, facts: AnnouncementFacts): PendingEvent[] {
  const { count, samples, lastAtMs, endpointNums } = announcement;
  if (endpointNums.length > 1)
    return [seal(announcement, facts, { atMs: lastAtMs, data: dataOfMany(announcement, facts) })];
  const endpoint = nameOf(facts.endpoint);
  const told = samples.map((sample) => toldOf(sample, facts.attemptOf(sample)));
  if (count <= MOST_SINGLES) {
    return samples.map((sample, index) =>
      seal(announcement, facts, { index, atMs: sample.atMs, data: { endpoint, ...told[index]!.single } }),
    );
  }
  const data = { endpoint, ...timesOf(announcement), examples: told.map(({ example }) => example) };
  return [seal(announcement, facts, { atMs: lastAtMs, data })];
}

function dataOfMany(announcement: Announcement, { endpointOf, attemptOf }: AnnouncementFacts): object {
  const { endpointNums, samples } = announcement;
  const examples = samples.map((sample) => {
    const { at, ...what } = toldOf(sample, attemptOf(sample)).example;
    const endpoint = endpointOf(sample.endpointNum);
    return { at, ...(endpoint === undefined ? {} : { endpoint: nameOf(endpoint) }), ...what };
  });
  const named = endpointNums.slice(0, MOST_NAMED).map((num) => endpointOf(num)?.id);
  return {
    endpoint_count: endpointNums.length,
    endpoint_ids: named.filter((id) => id !== undefined),
    ...timesOf(announcement),
    examples,
  };
}

function timesOf({ count, firstAtMs, lastAtMs }: Announcement) {
  return { count, first_at: iso(firstAtMs), last_at: iso(lastAtMs) };
}

function nameOf({ id, description }: AnnouncedEndpoint) {
  return { id, description };
}

function toldOf({ endpointNum, atMs, eventUuid, attempt: number, detail }: NoticeSample, attempt?: AnnouncedAttempt) {
  if (eventUuid === null) return { single: detail, example: { at: iso(atMs), ...detail } };
  const delivery = {
    id: deliveryIdOf(eventUuid, endpointNum),
    event_id: attempt?.externalId ?? eventIdOf(eventUuid),
    event_type: attempt?.eventType ?? null,
    attempt: number,
    outcome: attempt?.outcome ?? null,
    status: attempt?.status ?? null,
    next_attempt_at: attempt?.nextAttemptAt?.toISOString() ?? null,
  };
  return { single: { delivery }, example: { at: iso(atMs), delivery } };
}

function seal(
  { id, kind, endpointNums }: Announcement,
  { endpoint, nowMs }: AnnouncementFacts,
  { index = 0, atMs, data }: { index?: number; atMs: number; data: object },
): PendingEvent {
  const subject = endpointNums.length > 1 ? {} : { subject: endpoint.id };
  const input = { type: systemType(kind), timestamp: iso(atMs), ...subject, data };
  const metadata = { source: 'posthorn' };
  const texts = { dataText: JSON.stringify(data), metadataText: JSON.stringify(metadata) };
  const key = `posthorn-${id}-${index}`;
  const event = sealEvent({ input, value: { data, metadata }, ...texts }, endpoint.tenant, newUuid(nowMs), nowMs, key);
  return { ...event, exceptEndpoints: new Set(endpointNums) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
