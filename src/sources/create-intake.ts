import type { SourceMapping } from '../config/source-schema.ts';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import type { AcceptDependencies, RawEvent } from '../ingest/accept.ts';
import { acceptEach } from '../ingest/accept-each.ts';
import { sourceKey } from '../ingest/dedup-key.ts';
import { lookUpOnce } from '../ingest/look-ahead.ts';
import { type Rejection, UNKNOWN_TENANT } from '../ingest/rejection.ts';
import type { TenantCost, TenantLimiter } from '../ingest/tenant-limiter.ts';
import type { RejectedMessage, StoredRejection } from '../store/rejected-messages.ts';
import type { IncomingMessage, Intake } from './intake.ts';
import type { MessageProblem } from './message-problem.ts';
import { readMessages } from './read-messages.ts';
import { rejectedMessage, restoredMessage } from './rejected-message.ts';

export interface IntakeOptions {
  readonly source: { readonly id: string; readonly name: string; readonly tenantId: string | undefined };
  readonly mapping: SourceMapping;
  readonly accept: AcceptDependencies;
  readonly limits: Pick<TenantLimiter, 'charge' | 'accepted'>;
  /** Keeps messages that are no event; when it resolves they are durable. */
  readonly reject: (messages: readonly RejectedMessage[], isRetry: boolean) => Promise<number>;
  readonly onRejected: (reasons: ReadonlyMap<string, number>) => void;
  readonly onTaken: (counts: IntakeCounts) => void;
}

/** What one source took in since this process began with it. */
export interface IntakeCounts {
  readonly events: number;
  readonly duplicates: number;
  readonly rejected: number;
}

export interface SourceIntake {
  readonly take: Intake;
  /** Tries messages that were rejected before. Resolves when each is durable: as an event, or as rejected once more. Throws as `take` does. */
  readonly retry: (messages: readonly StoredRejection[]) => Promise<void>;
  readonly counts: () => IntakeCounts;
}

/** A message on its way, and what it is known by. */
interface Item {
  readonly message: IncomingMessage;
  readonly key: string | null;
}

/** The way of a source's messages into the log: read, charge the tenant, accept, keep what is no event. */
export function createIntake(options: IntakeOptions): SourceIntake {
  const counts = { events: 0, duplicates: 0, rejected: 0 };
  const takeIn = async (items: readonly Item[], isRetry: boolean) => {
    const fates = await fatesOf(items, options);
    const bad = items.flatMap(({ message, key }, i) => {
      const fate = fates[i]!;
      return typeof fate === 'string' ? [] : [rejectedMessage(message, key, fate)];
    });
    if (bad.length > 0) {
      counts.rejected += await options.reject(bad, isRetry);
      options.onRejected(countReasons(bad));
    }
    const countOf = (fate: Fate) => fates.filter((each) => each === fate).length;
    const taken = { events: countOf('accepted'), duplicates: countOf('duplicate'), rejected: bad.length };
    counts.events += taken.events;
    counts.duplicates += taken.duplicates;
    options.onTaken(taken);
  };
  return {
    take: (messages) =>
      takeIn(
        messages.map((message) => ({ message, key: keyOf(message, options.source.id) })),
        false,
      ),
    retry: (rows) =>
      takeIn(
        rows.map((row) => ({ message: restoredMessage(row), key: row.identity })),
        true,
      ),
    counts: () => ({ ...counts }),
  };
}

function keyOf({ position, identity = position }: IncomingMessage, sourceId: string): string | null {
  return identity === null ? null : sourceKey(sourceId, identity);
}

type Fate = 'accepted' | 'duplicate' | MessageProblem;

async function fatesOf(items: readonly Item[], options: IntakeOptions): Promise<readonly Fate[]> {
  const { mapping, accept } = options;
  const caller = await callerOf(options);
  const fates = new Array<Fate>(items.length);
  const good: { readonly index: number; readonly raw: RawEvent }[] = [];
  const messages = items.map(({ message }) => message);
  for (const [index, read] of (await readMessages(messages, mapping, accept.maxEventBytes)).entries()) {
    if (read.ok) good.push({ index, raw: read.raw });
    else fates[index] = read.problem;
  }
  const owners = await ownersOf(good, caller, accept.recallTenant);
  const refusal = await charge(good, owners, options);
  if (refusal !== null) {
    for (const { index } of good) fates[index] = refusal;
    return fates;
  }
  const results = await acceptEach(
    good.map(({ index, raw }) => ({ raw, caller, sourceKey: items[index]!.key })),
    accept,
  );
  for (const [i, result] of results.entries()) {
    const isProblem = 'code' in result;
    fates[good[i]!.index] = isProblem ? problemOf(result, good[i]!.raw, options.source.tenantId) : result.status;
    const owner = owners[i];
    if (!isProblem && result.status === 'accepted' && owner) options.limits.accepted(owner, result.deliveries);
  }
  return fates;
}

/** Unlike a tenant's producer, who must not learn which tenants there are, the operator is told that a message is of another tenant than its source's. */
function problemOf({ code, detail, faults }: Rejection, raw: RawEvent, tenantId: string | undefined): MessageProblem {
  const named = tenantNamedBy(raw);
  if (code !== UNKNOWN_TENANT.code || tenantId === undefined || named === undefined || named === tenantId)
    return { reason: code, detail, faults };
  const message = `the source takes messages of the tenant ${tenantId} alone`;
  return {
    reason: code,
    detail: 'The message is of another tenant than its source.',
    faults: [{ path: tenantFieldOf(raw), message }],
  };
}

/** What its producer calls what names its tenant. */
function tenantFieldOf({ read }: RawEvent): string {
  return (read?.ok === true && read.event.tenantField) || 'tenant_id';
}

function tenantNamedBy({ value }: RawEvent): unknown {
  return (value as { tenant_id?: unknown } | null)?.tenant_id;
}

/** @throws Error when the source's own tenant is not there: that is no fault of its messages. */
async function callerOf({ source, accept }: IntakeOptions): Promise<Caller> {
  const actor = `source:${source.id}`;
  if (source.tenantId === undefined) return { kind: 'operator', actor };
  const tenant = await accept.recallTenant(source.tenantId);
  if (tenant === null) throw new Error(`The tenant ${source.tenantId} of the source ${source.name} does not exist.`);
  return { kind: 'tenant', actor, tenant, scopes: new Set(['events:write']) };
}

async function ownersOf(
  good: readonly { readonly raw: RawEvent }[],
  caller: Caller,
  recallTenant: AcceptDependencies['recallTenant'],
): Promise<readonly (TenantRef | null)[]> {
  if (caller.kind === 'tenant') return good.map(() => caller.tenant);
  // All at once, each once: one after the other they would take as many statements.
  const find = lookUpOnce({ recallTenant }).recallTenant;
  return Promise.all(
    good.map(({ raw }) => {
      const id = tenantNamedBy(raw);
      return typeof id === 'string' ? find(id) : null;
    }),
  );
}

/**
 * Charges the tenants for their messages, as a request is charged.
 * @returns why a message that comes alone can never pass, or null
 * @throws Refusal 429 or 413 when they cannot pass now, or not so many at once
 */
async function charge(
  good: readonly { readonly raw: RawEvent }[],
  owners: readonly (TenantRef | null)[],
  { limits }: IntakeOptions,
): Promise<MessageProblem | null> {
  const costs = new Map<number, TenantCost>();
  for (const [i, tenant] of owners.entries()) {
    if (tenant === null) continue;
    const { events = 0, bytes = 0 } = costs.get(tenant.num) ?? {};
    costs.set(tenant.num, { tenant, events: events + 1, bytes: bytes + Buffer.byteLength(good[i]!.raw.text) });
  }
  if (costs.size === 0) return null;
  const { refusal } = await limits.charge([...costs.values()]);
  if (refusal === null) return null;
  if (good.length === 1 && refusal instanceof Refusal && refusal.status === 413) {
    return { reason: refusal.code, detail: refusal.message, faults: refusal.faults };
  }
  throw refusal;
}

function countReasons(bad: readonly RejectedMessage[]): ReadonlyMap<string, number> {
  const reasons = new Map<string, number>();
  for (const { reason } of bad) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return reasons;
}
