import type { ClaimedBy } from '../store/claims.ts';
import type { AppendGroup, AppendResult } from '../store/event-log.ts';
import { type GroupPlan, groupOf, planGroup, type Unit, type UnitResult } from './plan-group.ts';
import type { RoutingCache } from './routing-cache.ts';
import { claimsOf } from './seal-event.ts';

/** Keeps the routing of these tenants as it is until what it resolves with is called. */
export type HoldRouting = (tenants: ReadonlySet<number>) => Promise<() => void>;

export interface CommitOptions {
  /** Stores a group, and sees to what follows from that. */
  readonly append: (group: AppendGroup) => Promise<AppendResult>;
  readonly findClaims: (keys: readonly string[], expireBefore: string) => Promise<ReadonlyMap<string, ClaimedBy>>;
  /** Serialization failures and deadlocks: the same group may be tried again at once. */
  readonly isRetryable: (error: unknown) => boolean;
  readonly routing: RoutingCache;
  readonly holdRouting: HoldRouting;
  readonly onFailure: (error: unknown, events: number) => void;
  /** Events older than this UUID have lost their claims. */
  readonly keysExpireBefore: () => string;
}

/** A unit, and those who wait to hear what became of it. */
export interface Submission {
  readonly unit: Unit;
  /** Whether they were told 503 already: what was not sent to Postgres by then never is. */
  readonly isExpired: () => boolean;
  readonly settle: (result: UnitResult) => void;
  readonly fail: (error: unknown) => void;
}

type Part = readonly Submission[];

/** Deliveries of several units in one statement: a longer one would let all of them wait. */
const MAX_GROUP_DELIVERIES = 5_000;
/** A unit that brings more than this has a statement of its own, after the others'. */
const HEAVY_UNIT = 1_000;
const MAX_TRIES = 6;
/** How often routing may change before it is held: a tenant whose endpoints are made by the hundred, several at a time, changes faster than anything is planned. */
const CHANGES_BEFORE_HOLD = 2;

/**
 * Stores the units in one statement, or in several when they fan out too far or when some tenants' routing will not hold still. Each
 * unit is settled as soon as its own statement ends, so that one that fails takes no other with it. Never rejects.
 */
export async function commitUnits(submissions: Part, options: CommitOptions): Promise<void> {
  const part = submissions.filter(isAwaited);
  if (part.length === 0) return;
  let left: readonly Part[] = [];
  try {
    left = await storeOrSplit(part, options);
  } catch (error) {
    failAll(part, error, options);
  }
  for (const next of left) await commitUnits(next, options);
}

const isAwaited = (submission: Submission) => !submission.isExpired();
const unitOf = ({ unit }: Submission) => unit;

/** Settles what it stored. @returns the parts that are to be committed apart. */
async function storeOrSplit(part: Part, options: CommitOptions): Promise<readonly Part[]> {
  const hold = new Hold(options);
  try {
    return await tryToStore(part, hold, options);
  } finally {
    hold.end();
  }
}

/** The routing of tenants, held from the second change on. */
class Hold {
  readonly #options: CommitOptions;
  #end: (() => void) | null = null;
  #changes = 0;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** It has changed. Where it cannot be held, the next try may be as good as any. */
  async noteChange(tenants: ReadonlySet<number>): Promise<void> {
    if (++this.#changes < CHANGES_BEFORE_HOLD || this.#end !== null) return;
    this.#end = await this.#options.holdRouting(tenants).catch(() => null);
  }

  end(): void {
    this.#end?.();
  }
}

async function tryToStore(part: Part, hold: Hold, options: CommitOptions): Promise<readonly Part[]> {
  const units = part.map(unitOf);
  const changes = new Map<number, number>();
  let claimed: ReadonlyMap<string, ClaimedBy> | null = null;
  for (let tries = 1; ; tries++) {
    const plan = await planUnits(units, claimed ?? NO_CLAIMS, options.routing);
    const parts = part.length > 1 ? divide(part, plan) : null;
    if (parts !== null) return parts;
    if (claimed === null && plan.results.some(isTooMany)) {
      const apart = heavyApart(part, plan);
      if (apart !== null) return apart;
      // Of a batch that is stored already nothing is written, however many endpoints there are by now.
      claimed = await options.findClaims(keysOf(units), options.keysExpireBefore());
      if (!part.every(isAwaited)) return [part];
      continue;
    }
    if (plan.stored.length === 0 && plan.lateClaims.length === 0) return settleAll(part, plan);
    const group = { ...groupOf(plan), keysExpireBefore: options.keysExpireBefore() };
    const result = await options.append(group).catch((error: unknown) => {
      if (tries < MAX_TRIES && options.isRetryable(error)) return { kind: 'again' as const };
      throw error;
    });
    if (result.kind === 'stored') return settleAll(part, plan);
    if (result.kind === 'routing_changed') {
      await hold.noteChange(tenantsOf(units));
      options.routing.forget(result.tenants, group.routing);
      for (const num of result.tenants) changes.set(num, (changes.get(num) ?? 0) + 1);
      if (tries >= MAX_TRIES) return withoutRestless(part, restlessOf(changes, result.tenants), options);
    }
    if (tries >= MAX_TRIES) throw new Error(`A group commit met ${result.kind} ${tries} times in a row.`);
    if (result.kind === 'key_taken') {
      claimed = await options.findClaims(keysOf(units), group.keysExpireBefore);
    }
  }
}

const isTooMany = ({ kind }: UnitResult) => kind === 'too_many_deliveries';

/** Units that would take too much, after the others, which do not wait until it is known whether they are stored already; null where there are no others. */
function heavyApart(part: Part, { results }: GroupPlan): readonly Part[] | null {
  if (results.every(isTooMany)) return null;
  const isHeavy = (_: Submission, i: number) => isTooMany(results[i]!);
  return [part.filter((one, i) => !isHeavy(one, i)), part.filter(isHeavy)];
}

const NO_CLAIMS: ReadonlyMap<string, ClaimedBy> = new Map();

function keysOf(units: readonly Unit[]): readonly string[] {
  return units.flatMap((unit) => unit.flatMap((event) => claimsOf(event).map(({ key }) => key)));
}

async function planUnits(
  units: readonly Unit[],
  claimed: ReadonlyMap<string, ClaimedBy>,
  routing: RoutingCache,
): Promise<GroupPlan> {
  const plan = async () => {
    routing.trim();
    const { gone, matcher } = await routing.prepare(tenantsOf(units));
    return planGroup(units, { claimed, gone }, matcher);
  };
  const first = await plan();
  const refused = units.filter((_unit, i) => first.results[i]?.kind === 'too_many_deliveries');
  if (refused.length === 0) return first;
  // The commit checks the routing only of what it stores: without this, a stale routing would refuse batches for ever.
  routing.forget(tenantsOf(refused));
  return plan();
}

function tenantsOf(units: readonly Unit[]): Set<number> {
  const nums = new Set<number>();
  for (const unit of units) for (const { tenant } of unit) nums.add(tenant.num);
  return nums;
}

/** What is too much for one statement, or would let light units wait for heavy ones, is to be stored in parts; null when nothing is. */
function divide(part: Part, plan: GroupPlan): readonly Part[] | null {
  if (plan.deliveries <= HEAVY_UNIT) return null;
  const rows = new Map(plan.stored.map(({ event, direct }) => [event, direct.length]));
  const { light = [], heavy = [] } = Object.groupBy(part, ({ unit }) =>
    unit.reduce((sum, event) => sum + (rows.get(event) ?? 0), 0) > HEAVY_UNIT ? 'heavy' : 'light',
  );
  if (heavy.length > 0) return [light, ...heavy.map((submission) => [submission])];
  return plan.deliveries > MAX_GROUP_DELIVERIES ? halvesOf(part) : null;
}

function halvesOf(part: Part): readonly Part[] {
  const middle = Math.ceil(part.length / 2);
  return [part.slice(0, middle), part.slice(middle)];
}

/** Tenants whose routing changed more than once while one group was tried; failing that, those that changed last. */
function restlessOf(changes: ReadonlyMap<number, number>, last: readonly number[]): ReadonlySet<number> {
  const often = [...changes].filter(([, times]) => times > 1).map(([num]) => num);
  return new Set(often.length > 0 ? often : last);
}

/** Fails the units that touch these tenants, so that one tenant's constant changes cost no other its events. */
function withoutRestless(part: Part, restless: ReadonlySet<number>, options: CommitOptions): readonly Part[] {
  const touches = ({ unit }: Submission) => unit.some((event) => restless.has(event.tenant.num));
  const others = part.filter((submission) => !touches(submission));
  // Tenants that none of the units has would leave the same part again, for ever.
  if (others.length === part.length) throw new Error('A group commit met a change of routing that is not its own.');
  failAll(part.filter(touches), new Error(`The routing of tenants changed ${MAX_TRIES} times in a row.`), options);
  return [others];
}

function settleAll(part: Part, plan: GroupPlan): readonly Part[] {
  for (const [i, submission] of part.entries()) submission.settle(plan.results[i]!);
  return [];
}

function failAll(part: Part, error: unknown, options: CommitOptions): void {
  options.onFailure(
    error,
    part.reduce((sum, { unit }) => sum + unit.length, 0),
  );
  for (const submission of part) submission.fail(error);
}
