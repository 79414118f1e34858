import type { Context } from '../context.ts';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { uuidFloor } from '../domain/ids.ts';
import { readDeadLetters } from '../store/dead-letter-reads.ts';
import type { DeadLetterReason } from '../store/dead-letter-reason.ts';
import * as replays from '../store/replays.ts';
import { retentionBoundary } from '../store/retention.ts';
import type { NamedDelivery } from './dead-letter-json.ts';
import { invalidBody, namedEndpoint, namedEvent, namedEvents } from './find-named.ts';
import { tenantNotFound } from './tenant-not-found.ts';
import { isBefore, timeMs } from './time-query.ts';

/** Events or deliveries that one replay may name. */
export const MAX_IDS = 1_000;

export interface ReplayInput {
  readonly endpoint_id?: string | undefined;
  readonly status?: replays.ReplayedStatus | undefined;
  readonly types?: readonly string[] | undefined;
  readonly event_ids?: readonly string[] | undefined;
  /** One event, as `event_ids` with a single id. */
  readonly event_id?: string | undefined;
  readonly delivery_ids?: readonly NamedDelivery[] | undefined;
  readonly reason?: DeadLetterReason | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

type StartContext = Pick<Context, 'apiPool' | 'clock' | 'config' | 'ringReplays'>;

/**
 * Makes a replay and rings for it.
 * @throws Refusal 422 when it names what the tenant does not have, 409 when the endpoint is disabled or too many are under way
 */
export async function startReplay(
  tenant: TenantRef,
  input: ReplayInput,
  caller: Caller,
  context: StartContext,
): Promise<replays.Replay> {
  const plan = await planOf(tenant, input, context);
  const { event_id, ...rest } = input;
  const said = {
    ...rest,
    event_ids: event_id === undefined ? input.event_ids : [event_id],
    delivery_ids: input.delivery_ids?.map(({ deliveryId }) => deliveryId),
  };
  const request = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const replay = await replays.createReplay(context, tenant, request, plan, caller.actor);
  if (replay === 'tenant_gone') throw tenantNotFound();
  if (replay === 'too_many') {
    const limit = replays.MAX_UNFINISHED;
    throw new Refusal(
      409,
      'too_many_replays',
      `The tenant has ${limit} replays under way: wait for one to end, or cancel one.`,
    );
  }
  context.ringReplays();
  return replay;
}

async function planOf(tenant: TenantRef, input: ReplayInput, context: StartContext): Promise<replays.ReplayPlan> {
  const { apiPool } = context;
  checkDeadLettersOnly(input);
  const { delivery_ids: named = null } = input;
  const uuids = await wantedUuids(apiPool, tenant, input);
  if (named !== null) await checkDeadLetters(apiPool, tenant, named);
  return {
    ...rangeOf(input, context),
    eventUuids: named === null ? uuids : commonUuids(named, uuids),
    endpointNum: input.endpoint_id === undefined ? null : await endpointNum(apiPool, tenant, input.endpoint_id),
    status: input.status ?? null,
    reason: input.reason ?? null,
    only: named === null ? null : named.map(({ eventUuid, endpointNum }) => ({ eventUuid, endpointNum })),
    types: input.types ?? [],
  };
}

function checkDeadLettersOnly({ status, delivery_ids, reason }: ReplayInput): void {
  if (status === 'dead_lettered') return;
  const faults = Object.entries({ delivery_ids, reason }).flatMap(([path, value]) =>
    value === undefined ? [] : [{ path, message: 'takes `status: "dead_lettered"`' }],
  );
  if (faults.length > 0) throw invalidBody(faults);
}

/** The range of events that the replay looks at. It begins where retention ends, which is later for dead letters than for anything else. */
function rangeOf({ status, since, until }: ReplayInput, { clock, config }: StartContext): { from: string; to: string } {
  const nowMs = clock.nowMs();
  const isDead = status === 'dead_lettered';
  const days = Math.max(config.RETENTION_DAYS, isDead ? config.DEAD_LETTER_RETENTION_DAYS : 0);
  const sinceMs = Math.max(retentionBoundary(nowMs, days), since === undefined ? 0 : timeMs(since));
  const untilMs = Math.min(nowMs + 1, until === undefined ? nowMs + 1 : timeMs(until));
  if (since !== undefined && until !== undefined && !isBefore(since, until)) {
    throw invalidBody([{ path: 'until', message: 'expected a time after `since`' }]);
  }
  return { from: uuidFloor(sinceMs), to: uuidFloor(Math.max(sinceMs, untilMs)) };
}

async function endpointNum(pool: Context['apiPool'], tenant: TenantRef, id: string): Promise<number> {
  const endpoint = await namedEndpoint(pool, tenant, id);
  if (endpoint.deleted) throw invalidBody([{ path: 'endpoint_id', message: 'no such endpoint' }]);
  if (!endpoint.enabled) throw new Refusal(409, 'endpoint_disabled', 'The endpoint is disabled: enable it first.');
  return endpoint.num;
}

async function wantedUuids(
  pool: Context['apiPool'],
  tenant: TenantRef,
  { event_id, event_ids }: ReplayInput,
): Promise<readonly string[] | null> {
  if (event_id !== undefined) return [await namedEvent(pool, tenant, event_id)];
  return event_ids === undefined ? null : namedEvents(pool, tenant, event_ids);
}

async function checkDeadLetters(
  pool: Context['apiPool'],
  tenant: TenantRef,
  named: readonly NamedDelivery[],
): Promise<void> {
  const letters = await readDeadLetters(pool, tenant.num, named);
  const known = new Set(letters.map(({ eventUuid, endpointNum }) => `${eventUuid}/${endpointNum}`));
  const others = named.flatMap(({ eventUuid, endpointNum }, i) =>
    known.has(`${eventUuid}/${endpointNum}`) ? [] : [{ path: `delivery_ids.${i}`, message: 'no such dead letter' }],
  );
  if (others.length > 0) throw invalidBody(others);
}

function commonUuids(named: readonly NamedDelivery[], uuids: readonly string[] | null): readonly string[] {
  const ofNamed = [...new Set(named.map(({ eventUuid }) => eventUuid))].sort();
  return uuids === null ? ofNamed : ofNamed.filter((uuid) => uuids.includes(uuid));
}
