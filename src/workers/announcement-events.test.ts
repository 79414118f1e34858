import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deliveryIdOf, eventIdOf } from '../domain/ids.ts';
import { NOTICE_KINDS, type NoticeDetail, type NoticeKind, systemType } from '../domain/notice.ts';
import { matchesType } from '../routing/type-pattern.ts';
import type { AnnouncedAttempt } from '../store/announcement-facts.ts';
import type { Announcement, NoticeSample } from '../store/announcements.ts';
import { announcementEvents } from './announcement-events.ts';

const AT = Date.UTC(2026, 10, 26, 10, 30);
const PAGE = new URL('../../docs/system-events.md', import.meta.url);
const endpoint = { id: 'ep_06ex4z2m8qwyk1n5x0t9b2hj4d', description: 'Billing', tenant: { num: 1, id: 'acme' } };

const uuidOf = (n: number) => `019abf8e-9a00-7000-8000-${String(n).padStart(12, '0')}`;

function noticeOf(detail: NoticeDetail, attempt: number | null, n = 1): NoticeSample {
  return { endpointNum: 7, atMs: AT + n * 1000, eventUuid: attempt === null ? null : uuidOf(n), attempt, detail };
}

function announcement(kind: NoticeKind, samples: readonly NoticeSample[], count = samples.length): Announcement {
  const times = { firstAtMs: samples[0]!.atMs, lastAtMs: AT + count * 1000 };
  const about = { tenantNum: 1, tenantId: 'acme', endpointNums: [7], endpointId: endpoint.id };
  return { id: uuidOf(0), ...about, kind, count, samples, ...times };
}

/** That breakers of so many endpoints have opened. */
function ofMany(endpoints: number): Announcement {
  const endpointNums = Array.from({ length: endpoints }, (_, i) => 7 + i);
  const detail = { reason: 'Ten attempts in a row failed.', until: new Date(AT + 31_000).toISOString() };
  const samples = endpointNums.slice(0, 5).map((endpointNum, i) => ({ ...noticeOf(detail, null, i + 1), endpointNum }));
  return { ...announcement('endpoint.breaker_opened', samples, endpoints), endpointNums };
}

function attemptOf(more: Partial<AnnouncedAttempt>) {
  return ({ eventUuid, attempt }: NoticeSample): AnnouncedAttempt => ({
    eventUuid: eventUuid!,
    endpointNum: 7,
    attempt: attempt!,
    externalId: null,
    eventType: 'invoice.paid',
    outcome: 'rejected',
    status: 500,
    nextAttemptAt: null,
    ...more,
  });
}

function eventsOf(given: Announcement, attempt: Partial<AnnouncedAttempt> | null = {}) {
  const endpointOf = (num: number) => (num === 7 ? endpoint : { ...endpoint, id: `${endpoint.id.slice(0, -4)}${num}` });
  const attempts = attempt === null ? () => undefined : attemptOf(attempt);
  return announcementEvents(given, { endpoint, endpointOf, attemptOf: attempts, nowMs: AT });
}

const bodyOf = ({ body }: { body: Buffer }) => JSON.parse(body.toString());

/** The events that the page shows, made anew. */
function examples() {
  const until = new Date(AT + 31_000).toISOString();
  const single = (kind: NoticeKind, detail: NoticeDetail) => eventsOf(announcement(kind, [noticeOf(detail, null)]));
  const delivery = (kind: NoticeKind, attempt: number, facts: Partial<AnnouncedAttempt>) =>
    eventsOf(announcement(kind, [noticeOf({}, attempt)]), facts);
  const storm = [1, 2, 3, 4, 5].map((n) => noticeOf({}, 10, n));
  return [
    single('endpoint.disabled', { reason: 'The receiver answered 410 Gone.', by: 'system' }),
    single('endpoint.enabled', { by: 'tenant' }),
    single('endpoint.breaker_opened', { reason: 'Ten attempts in a row failed.', until }),
    single('endpoint.breaker_closed', {}),
    single('endpoint.throttled', { reason: 'The receiver asked for a pause.', until }),
    delivery('delivery.failing', 4, { nextAttemptAt: new Date(AT + 7_200_000) }),
    delivery('delivery.recovered', 5, { outcome: 'delivered', status: 204 }),
    delivery('delivery.dead_lettered', 10, { outcome: 'timeout', status: null }),
    eventsOf(announcement('delivery.dead_lettered', storm, 1240), { outcome: 'timeout', status: null }),
    eventsOf(ofMany(21)),
  ].flatMap((events) => events.map(bodyOf));
}

test('the page of system events shows each kind as it is sent, and one that stands for many', () => {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/```json\n(.*?)```/gs)].map((match) => JSON.parse(match[1]!));
  expect(blocks).toEqual(examples().map((event, i) => ({ ...event, id: blocks[i]?.id })));
  expect(new Set(blocks.map(({ type }) => type))).toEqual(new Set(NOTICE_KINDS.map(systemType)));
});

test('every kind is matched by system.** and by its own name', () => {
  for (const type of NOTICE_KINDS.map(systemType))
    expect([matchesType('system.**', type), matchesType(type, type), matchesType('**', type)]).toEqual([
      true,
      true,
      false,
    ]);
});

test('up to five notices are events of their own, at the time of each; a sixth makes them one', () => {
  const five = [1, 2, 3, 4, 5].map((n) => noticeOf({}, 4, n));
  const singles = eventsOf(announcement('delivery.failing', five)).map(bodyOf);
  expect(singles.map(({ timestamp }) => Date.parse(timestamp) - AT)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
  expect(singles.map(({ data }) => data.delivery.id)).toEqual(five.map((_, i) => deliveryIdOf(uuidOf(i + 1), 7)));
  const [one, ...more] = eventsOf(announcement('delivery.failing', five, 6)).map(bodyOf);
  expect(more).toEqual([]);
  expect(one.data).toMatchObject({ count: 6, examples: singles.map(({ data }) => ({ delivery: data.delivery })) });
});

test('an event about ten thousand endpoints says of how many, names a hundred, and is no longer than others', () => {
  const [event, ...more] = eventsOf(ofMany(10_000));
  expect(more).toEqual([]);
  const { data, ...body } = bodyOf(event!);
  expect(body).not.toHaveProperty('subject');
  expect(data).toMatchObject({ count: 10_000, endpoint_count: 10_000 });
  expect([data.endpoint_ids.length, data.examples.length]).toEqual([100, 5]);
  expect(event!.body.length).toBeLessThan(6_000);
});

test('the events of an announcement have the same keys however often they are made, and no two have the same', () => {
  const given = announcement('delivery.failing', [noticeOf({}, 4, 1), noticeOf({}, 4, 2)]);
  const keys = () => eventsOf(given).flatMap((event) => event.keys);
  expect(keys()).toEqual(keys());
  expect(new Set(keys()).size).toBe(2);
  expect(eventsOf({ ...given, id: uuidOf(9) }).flatMap((event) => event.keys)).not.toContain(keys()[0]);
});

test('every event is kept from the endpoint that it is about', () => {
  const all = NOTICE_KINDS.flatMap((kind) => eventsOf(announcement(kind, [noticeOf({}, 1)])));
  expect(all.map(({ exceptEndpoints }) => exceptEndpoints)).toEqual(NOTICE_KINDS.map(() => new Set([7])));
  expect(eventsOf(ofMany(300))[0]!.exceptEndpoints).toEqual(new Set(ofMany(300).endpointNums));
});

test('a delivery whose records retention has dropped already is still told of', () => {
  const [event] = eventsOf(announcement('delivery.dead_lettered', [noticeOf({}, 10)]), null);
  expect(bodyOf(event!).data.delivery).toMatchObject({
    event_id: eventIdOf(uuidOf(1)),
    event_type: null,
    outcome: null,
  });
});
