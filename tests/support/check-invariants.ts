import { expect } from 'vitest';
import { eventIdOf } from '../../src/domain/ids.ts';
import { verifySignature } from '../../src/signing/verify-signature.ts';
import { parseVerifyingKey } from '../../src/signing/verifying-key.ts';
import { DECISION } from '../../src/store/codes.ts';
import { eventually } from './eventually.ts';
import type { SentEvent } from './loader.ts';
import { query } from './query.ts';
import type { ReceivedRequest } from './receiver.ts';
import type { CreatedEndpoint } from './stage.ts';

/** `key` is null where the event was sent without one. */
export type KnownEvent = Pick<SentEvent, 'outcome' | 'id'> & { readonly key: string | null };

export interface Evidence {
  readonly databaseUrl: string;
  /** What the producers know: without an event that was acknowledged there is nothing to miss. */
  readonly history: readonly KnownEvent[];
  /** What the receiver saw. */
  readonly ledger: readonly ReceivedRequest[];
  /** The endpoints that every event of the history matches, each at a path of its own. */
  readonly endpoints: readonly CreatedEndpoint[];
  /** Requests that may have been made twice: what was in flight at the crashes. 0 where nothing crashed. */
  readonly duplicatesAtMost: number;
}

export interface StoredEvent {
  readonly uuid: string;
  readonly id: string;
  readonly key: string | undefined;
}

export interface StoredAttempt {
  readonly event_id: string;
  readonly endpoint_id: string;
  readonly decision: number;
}

/**
 * Waits until the service is quiet, then checks I1 to I6 and I11 from what producers and receiver know, with the database as the
 * accused and not as the witness. @returns how many requests the receiver got more than once.
 */
export async function checkInvariants(evidence: Evidence): Promise<number> {
  const { databaseUrl } = evidence;
  const waiting = () =>
    query(databaseUrl, 'SELECT (SELECT count(*) FROM mailbox) + (SELECT count(*) FROM expansions) AS count');
  await eventually(waiting, ([row]) => Number(row.count) === 0);
  const events = await storedEvents(databaseUrl);
  const attempts: StoredAttempt[] = await query(
    databaseUrl,
    'SELECT a.event_id, e.id AS endpoint_id, a.decision FROM attempts a JOIN endpoints e ON e.num = a.endpoint_num',
  );
  const surplus = checkRecords(evidence, events, attempts);
  checkSignatures(evidence.ledger, evidence.endpoints);
  return surplus;
}

/** All but the signatures, of what the database says. @returns as `checkInvariants` */
export function checkRecords(
  evidence: Evidence,
  events: readonly StoredEvent[],
  attempts: readonly StoredAttempt[],
): number {
  checkStored(evidence.history, events);
  checkDeliveries(evidence, events, attempts);
  return checkLedger(evidence, events, attempts);
}

async function storedEvents(databaseUrl: string): Promise<StoredEvent[]> {
  const rows = await query(databaseUrl, `SELECT id, external_id, convert_from(body, 'UTF8') AS body FROM events`);
  return rows.map(({ id, external_id, body }) => {
    return { uuid: id, id: external_id ?? eventIdOf(id), key: JSON.parse(body).metadata?.idempotency_key };
  });
}

function checkStored(history: readonly KnownEvent[], events: readonly StoredEvent[]): void {
  const byKey = Map.groupBy(events, (event) => event.key);
  const repeated = [...byKey].filter(([key, { length }]) => key !== undefined && length > 1).map(([key]) => key);
  expect(repeated, 'I1: keys that are stored more than once').toEqual([]);
  const acknowledged = history.filter((sent) => sent.outcome === 'ok');
  expect(acknowledged.length, 'I1: events that were acknowledged').toBeGreaterThan(0);
  const keyOf = new Map(events.map(({ id, key }) => [id, key ?? null]));
  const lost = acknowledged.filter(({ id, key }) => keyOf.get(id!) !== key);
  expect(lost, 'I1: events that were acknowledged and are not stored under their id').toEqual([]);
  const refused = history.filter((sent) => sent.outcome === 'failed' && byKey.has(sent.key ?? undefined));
  expect(refused, 'events that were refused and are stored').toEqual([]);
}

const ENDS: readonly number[] = [DECISION.done, DECISION.deadLetter, DECISION.cancel];

function checkDeliveries(evidence: Evidence, events: readonly StoredEvent[], attempts: readonly StoredAttempt[]): void {
  const ends = attempts.filter(({ decision }) => ENDS.includes(decision));
  const idOf = new Map(events.map((event) => [event.uuid, event.id]));
  const counts = Map.groupBy(ends, (attempt) => `${idOf.get(attempt.event_id)} ${attempt.endpoint_id}`);
  // Of what was acknowledged, whatever the database has of it, and of what it has besides: an answer may have been lost.
  const acknowledged = evidence.history.filter((sent) => sent.outcome === 'ok').map((sent) => sent.id!);
  const ids = new Set([...acknowledged, ...idOf.values()]);
  const wanted = [...ids].flatMap((id) => evidence.endpoints.map((endpoint) => `${id} ${endpoint.id}`));
  const wrong = wanted.filter((delivery) => counts.get(delivery)?.length !== 1);
  expect(wrong, 'I2, I3: deliveries without exactly one end').toEqual([]);
}

function checkLedger(evidence: Evidence, events: readonly StoredEvent[], attempts: readonly StoredAttempt[]): number {
  const { ledger, endpoints, duplicatesAtMost } = evidence;
  const idOf = new Map(events.map((event) => [event.uuid, event.id]));
  const pathOf = new Map(endpoints.map((endpoint) => [endpoint.id, new URL(endpoint.url).pathname]));
  const nameOf = (request: ReceivedRequest) => `${request.path} ${request.headers['webhook-id']}`;
  const received = Map.groupBy(ledger, nameOf);
  const isGood = (request: ReceivedRequest) => request.answered !== null && request.answered < 300;
  const deliveryOf = ({ event_id, endpoint_id }: StoredAttempt) => `${pathOf.get(endpoint_id)} ${idOf.get(event_id)}`;
  const liars = attempts.filter(
    (attempt) => attempt.decision === DECISION.done && !(received.get(deliveryOf(attempt)) ?? []).some(isGood),
  );
  expect(liars, 'I4: deliveries that are called delivered without a 2xx').toEqual([]);
  const twice = [...received.values()].filter((requests) => requests.filter(isGood).length > 1);
  const surplus = twice.reduce((sum, requests) => sum + requests.filter(isGood).length - 1, 0);
  expect(surplus, 'I5: requests that a receiver answered with 2xx and got again').toBeLessThanOrEqual(duplicatesAtMost);
  const changed = [...received.values()].filter(([first, ...rest]) =>
    rest.some(({ body }) => !body.equals(first!.body)),
  );
  expect(changed, 'I5: duplicates with another body').toEqual([]);
  // By delivery: an attempt that is made up must not stand for a request of another that is not on record.
  const recorded = Map.groupBy(attempts, deliveryOf);
  const unrecordedOf = (delivery: string) =>
    (received.get(delivery)?.length ?? 0) - (recorded.get(delivery)?.length ?? 0);
  const invented = [...recorded.keys()].filter((delivery) => unrecordedOf(delivery) < 0);
  expect(invented, 'I6: deliveries with attempts on record without a request').toEqual([]);
  const unrecorded = [...received.keys()].reduce((sum, delivery) => sum + unrecordedOf(delivery), 0);
  expect(unrecorded, 'I6: requests without an attempt on record').toBeLessThanOrEqual(duplicatesAtMost);
  return surplus;
}

function checkSignatures(ledger: readonly ReceivedRequest[], endpoints: readonly CreatedEndpoint[]): void {
  const keys = new Map(endpoints.map(({ url, secret }) => [new URL(url).pathname, [parseVerifyingKey(secret)]]));
  const forged = ledger.filter(({ path, headers, body }) => !verifySignature(keys.get(path) ?? [], headers, body).ok);
  expect(forged, 'I11: requests whose signature does not verify').toEqual([]);
}
