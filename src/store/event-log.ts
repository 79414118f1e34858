import type pg from 'pg';
import { APPEND_STATEMENTS } from './append-statements.ts';
import { bigints, ints, smallints, texts, uuids } from './binary-array.ts';
import { column, sparseColumn, valuesOf } from './columns.ts';
import type { CallBehind } from './lane-calls.ts';
import { isRetryable, UNIQUE_VIOLATION } from './lock-errors.ts';
import { plainArray } from './plain-array.ts';

/** What one group commit stores, in one statement: events, the keys that they claim, and their deliveries, those still to be written included. */
export interface AppendGroup {
  readonly events: readonly NewEvent[];
  readonly claims: readonly Claim[];
  readonly deliveries: readonly NewDelivery[];
  /** Absent: none. */
  readonly expansions?: readonly NewExpansion[];
  /** The version of each tenant's routing that the deliveries were matched with. */
  readonly routing: ReadonlyMap<number, bigint>;
  /** Endpoints whose settings the caller knows, with the known version: the result says which have changed. Absent: none. */
  readonly endpoints?: ReadonlyMap<number, number>;
  /** Keys claimed by an event older than this UUID have expired and may be claimed again. */
  readonly keysExpireBefore: string;
}

export interface NewEvent {
  readonly uuid: string;
  readonly tenantNum: number;
  /** Not stored: for those that report the event. */
  readonly tenantId: string;
  readonly type: string;
  readonly subject: string | null;
  readonly externalId: string | null;
  readonly body: Uint8Array;
}

export interface Claim {
  readonly key: string;
  readonly eventUuid: string;
  readonly bodyHash: string;
  readonly deliveries: number;
}

export interface NewDelivery {
  readonly eventUuid: string;
  readonly endpointNum: number;
  readonly tenantNum: number;
  readonly lane: number;
  /** The key by which it is kept in order: see `src/routing/order-key.ts`. Null if it is not. */
  readonly orderKey: number | null;
}

/** Deliveries of one event that a worker writes later (`expansions.ts`). */
export interface NewExpansion {
  readonly eventUuid: string;
  readonly tenantNum: number;
  /** Each once, in rising order. If events share the same array, it is sent to Postgres once. */
  readonly endpointNums: readonly number[];
}

export type AppendResult =
  /** `changed`: the numbers of those of `endpoints` whose settings have changed; absent if none has. */
  | { readonly kind: 'stored'; readonly changed?: readonly number[] }
  /** Nothing was stored: match these tenants' events again with the routing that now holds. */
  | { readonly kind: 'routing_changed'; readonly tenants: readonly number[] }
  /** Nothing was stored: another process claimed one of the keys first; look the keys up. */
  | { readonly kind: 'key_taken' };

/**
 * Stores the group whole or not at all. When it resolves with `stored`, all of it is durable.
 * @param call sent behind the statement on the same connection, without waiting: Postgres executes it after the commit, or after its failure.
 * The connection is free only when the call has been answered, so that no other commit waits for that. The pool must be one that pipelines.
 * @throws whatever Postgres or the connection throws. The outcome is then unknown to the caller, who must not acknowledge the events.
 */
export async function appendEvents(
  pool: pg.Pool,
  group: AppendGroup,
  call: CallBehind | null = null,
): Promise<AppendResult> {
  const client = await pool.connect().catch((error: unknown) => {
    call?.settled();
    throw error;
  });
  const calls: Promise<void>[] = [];
  let broken = false;
  const send = async (query: pg.QueryConfig) => {
    const stored = client.query<{ num: number }>(query);
    if (call !== null) calls.push(client.query(call.query).then(() => {}, call.failed));
    return (await stored).rows;
  };
  try {
    const changed = await append(send, group);
    return changed.length === 0 ? { kind: 'stored' } : { kind: 'stored', changed: changed.map(({ num }) => num) };
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string };
    if (code === 'PH001') return { kind: 'routing_changed', tenants: (detail ?? '').split(',').map(Number) };
    if (code === 'PH002') return { kind: 'key_taken' };
    broken = !isRetryable(error);
    throw error;
  } finally {
    const free = () => {
      client.release(broken);
      call?.settled();
    };
    if (calls.length === 0) free();
    else void Promise.all(calls).then(free);
  }
}

async function append<R>(send: (query: pg.QueryConfig) => Promise<R>, group: AppendGroup): Promise<R> {
  const { expansions = [] } = group;
  const { asNew, overExpired } = expansions.length === 0 ? APPEND_STATEMENTS.narrow : APPEND_STATEMENTS.wide;
  const values = [...appendValues(group), ...(expansions.length === 0 ? [] : expansionValues(expansions))];
  try {
    return await send({ ...asNew, values });
  } catch (error) {
    if (!isKnownKey(error)) throw error;
    return send({ ...overExpired, values: [...values, group.keysExpireBefore] });
  }
}

/** Whether a key that was claimed as a new one is there already, expired or not. */
function isKnownKey(error: unknown): boolean {
  const { code, table } = error as { code?: string; table?: string };
  return code === UNIQUE_VIOLATION && table === 'idempotency_keys';
}

const NO_ENDPOINTS: ReadonlyMap<number, number> = new Map();

function expansionValues(expansions: readonly NewExpansion[]): unknown[] {
  const places = new Map<readonly number[], number>();
  for (const { endpointNums } of expansions) {
    if (!places.has(endpointNums)) places.set(endpointNums, places.size + 1);
  }
  return [
    plainArray(expansions.map((expansion) => expansion.eventUuid)),
    plainArray(expansions.map((expansion) => expansion.tenantNum)),
    plainArray(expansions.map((expansion) => places.get(expansion.endpointNums)!)),
    [...places.keys()].map(plainArray),
  ];
}

type Versioned = readonly [num: number, version: bigint | number];

const VERSIONS = [column(ints, ([num]: Versioned) => num), column(bigints, ([, version]: Versioned) => version)];
const CLAIMS = [
  column(uuids, (claim: Claim) => claim.key),
  column(uuids, (claim: Claim) => claim.eventUuid),
  column(uuids, (claim: Claim) => claim.bodyHash),
  column(ints, (claim: Claim) => claim.deliveries),
];
const EVENTS = [
  column(uuids, (event: NewEvent) => event.uuid),
  column(ints, (event: NewEvent) => event.tenantNum),
  column(texts, (event: NewEvent) => event.type),
  sparseColumn(texts, (event: NewEvent) => event.subject),
  sparseColumn(texts, (event: NewEvent) => event.externalId),
];
const BODY_STARTS = column(ints, (start: number) => start);
const BODY_LENGTHS = column(ints, ({ length }: Uint8Array) => length);
const DELIVERIES = [
  column(uuids, (delivery: NewDelivery) => delivery.eventUuid),
  column(ints, (delivery: NewDelivery) => delivery.endpointNum),
  column(ints, (delivery: NewDelivery) => delivery.tenantNum),
  column(smallints, (delivery: NewDelivery) => delivery.lane),
  sparseColumn(ints, (delivery: NewDelivery) => delivery.orderKey),
];

function appendValues({ events, claims, deliveries, routing, endpoints = NO_ENDPOINTS }: AppendGroup): unknown[] {
  const bodies: Uint8Array[] = [];
  const starts: number[] = [];
  let offset = 1;
  for (const { body } of events) {
    bodies.push(body);
    starts.push(offset);
    offset += body.length;
  }
  return [
    ...valuesOf(VERSIONS, [...routing]),
    ...valuesOf(CLAIMS, claims),
    ...valuesOf(EVENTS, events),
    BODY_STARTS(starts),
    BODY_LENGTHS(bodies),
    Buffer.concat(bodies, offset - 1),
    ...valuesOf(DELIVERIES, deliveries),
    ...valuesOf(VERSIONS, [...endpoints]),
  ];
}
