import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventIdOf } from '../domain/ids.ts';
import type { ClaimedBy } from '../store/claims.ts';
import type { Match, Matcher } from './match.ts';
import { groupOf, type Known, MAX_UNIT_DELIVERIES, planGroup, type UnitResult, type Unplanned } from './plan-group.ts';
import type { PendingEvent } from './seal-event.ts';

interface Given {
  readonly keys: readonly string[];
  readonly bodyHash: string;
  readonly tenant: number;
  readonly type: string;
}

const matcher: Matcher = {
  match: (tenantNum, { type }) => ({
    version: BigInt(tenantNum * 10),
    endpoints: Array.from({ length: type.length - 1 }, (_, i) => tenantNum * 100 + i),
  }),
  laneOf: (num) => num % 100,
  isCostly: () => true,
};

// Keys are of one tenant in truth: a hash over its number. So are these.
const event = fc
  .record({
    keys: fc.uniqueArray(fc.constantFrom('k1', 'k2', 'k3', 'i1', 'i2'), { maxLength: 2 }),
    bodyHash: fc.constantFrom('a', 'b'),
    tenant: fc.constantFrom(1, 2),
    type: fc.constantFrom('t', 'tt', 'ttt'),
  })
  .map((given): Given => ({ ...given, keys: given.keys.map((key) => `${given.tenant}${key}`) }));
const units = fc.array(fc.array(event, { minLength: 1, maxLength: 4 }), { maxLength: 6 });
const claimed = fc.dictionary(fc.constantFrom('1k1', '1i1', '2k2'), fc.constantFrom('a', 'b'));

function pendingOf(given: Given, n: number): PendingEvent {
  const uuid = `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
  const tenant = { num: given.tenant, id: `tenant_${given.tenant}` };
  return {
    ...given,
    uuid,
    publicId: `evt_${n}`,
    tenant,
    subject: null,
    externalId: null,
    body: Buffer.from(`${n}`),
    content: () => null,
  };
}

/** What docs/adr/0007-event-ids-are-unique.md decides, unit by unit and event by event, with nothing but a map of what each key stands for. */
function reference(given: readonly (readonly PendingEvent[])[], known: Known) {
  let taken = new Map(
    [...known.claimed].map(([key, by]) => [key, { hash: by.bodyHash, id: by.externalId ?? eventIdOf(by.eventUuid) }]),
  );
  const stored: PendingEvent[] = [];
  const results = given.map((unit): unknown => {
    const gone = [...unit.keys()].filter((i) => known.gone.has(unit[i]!.tenant.num));
    if (gone.length > 0) return { kind: 'tenant_gone', indexes: gone };
    const mine = new Map(taken);
    const fresh: PendingEvent[] = [];
    const conflicts: number[] = [];
    const statuses = unit.map((one, i) => {
      const holders = one.keys.filter((key) => mine.has(key)).map((key) => mine.get(key)!);
      if (holders.some((holder) => holder.hash !== one.bodyHash)) return conflicts.push(i);
      if (holders.length > 0) {
        for (const key of one.keys) if (!mine.has(key)) mine.set(key, holders[0]!);
        return { id: holders[0]!.id, status: 'duplicate' };
      }
      for (const key of one.keys) mine.set(key, { hash: one.bodyHash, id: one.publicId });
      fresh.push(one);
      return { id: one.publicId, status: 'accepted' };
    });
    if (conflicts.length > 0) return { kind: 'conflict', indexes: conflicts };
    taken = mine;
    stored.push(...fresh);
    return { kind: 'accepted', items: statuses };
  });
  return { results, stored };
}

function withoutCounts(result: UnitResult | Unplanned): unknown {
  return result.kind === 'accepted'
    ? { ...result, items: result.items.map(({ id, status }) => ({ id, status })) }
    : result;
}

function knownOf(hashes: Record<string, string>, gone: readonly number[]): Known {
  const uuid = 'ffffffff-0000-7000-8000-000000000001';
  const claims = Object.entries(hashes).map(([key, bodyHash]): [string, ClaimedBy] => [
    key,
    { eventUuid: uuid, externalId: key.includes('i') ? key : null, bodyHash, deliveries: 7 },
  ]);
  return { claimed: new Map(claims), gone: new Set(gone) };
}

test('a key with the same body is a duplicate, with another body a conflict, within a group and against what is stored', () => {
  const property = fc.property(units, claimed, fc.subarray([1, 2]), fc.boolean(), (given, hashes, gone, areGone) => {
    let n = 0;
    const pending = given.map((unit) => unit.map((one) => pendingOf(one, ++n)));
    const known = knownOf(hashes, areGone ? gone : []);
    const plan = planGroup(pending, known, matcher);
    const expected = reference(pending, known);
    expect(plan.results.map(withoutCounts)).toEqual(expected.results);
    expect(plan.stored.map(({ event }) => event).map((stored) => stored.uuid)).toEqual(
      expected.stored.map((stored) => stored.uuid),
    );
  });
  fc.assert(property, { numRuns: 2_000 });
});

test('what a group stores fits together: each key claimed once, deliveries as many as were promised, every tenant with its version', () => {
  const property = fc.property(units, claimed, (given, hashes) => {
    let n = 0;
    const pending = given.map((unit) => unit.map((one) => pendingOf(one, ++n)));
    const known = knownOf(hashes, []);
    const plan = planGroup(pending, known, matcher);
    const { results } = plan;
    const group = groupOf(plan);
    expect(group.deliveries).toHaveLength(plan.deliveries);
    const claims = group.claims.map((claim) => claim.key);
    expect(new Set(claims).size).toBe(claims.length);
    for (const key of claims) expect(known.claimed.has(key)).toBe(false);
    const taken = pending.filter((_, i) => results[i]!.kind === 'accepted').flat();
    const free = taken.flatMap(({ keys }) => keys).filter((key) => !known.claimed.has(key));
    expect(new Set(claims)).toEqual(new Set(free));
    for (const stored of group.events) {
      const deliveries = group.deliveries.filter(({ eventUuid }) => eventUuid === stored.uuid);
      const items = results.flatMap((result) => (result.kind === 'accepted' ? result.items : []));
      const said = items.find(
        ({ id, status }) => id === `evt_${Number(stored.uuid.slice(-12))}` && status === 'accepted',
      );
      expect(deliveries).toHaveLength(said!.deliveries);
      expect(group.routing.get(stored.tenantNum)).toBe(BigInt(stored.tenantNum * 10));
      expect(deliveries.every(({ tenantNum }) => tenantNum === stored.tenantNum)).toBe(true);
      expect(deliveries.every(({ endpointNum, lane }) => lane === endpointNum % 100)).toBe(true);
    }
    expect(group.deliveries.every(({ eventUuid }) => group.events.some(({ uuid }) => uuid === eventUuid))).toBe(true);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('a duplicate is told what the first was told: its id and its number of deliveries', () => {
  const first = pendingOf({ keys: ['1k1'], bodyHash: 'a', tenant: 1, type: 'ttt' }, 1);
  const { results } = planGroup(
    [[first], [{ ...first, uuid: 'other', publicId: 'evt_other' }]],
    knownOf({ '1i1': 'a' }, []),
    matcher,
  );
  expect(results[1]).toEqual({ kind: 'accepted', items: [{ id: 'evt_1', status: 'duplicate', deliveries: 2 }] });
  const again = pendingOf({ keys: ['1i1'], bodyHash: 'a', tenant: 1, type: 't' }, 2);
  const stored = planGroup([[again]], knownOf({ '1i1': 'a' }, []), matcher).results[0];
  expect(stored).toEqual({ kind: 'accepted', items: [{ id: '1i1', status: 'duplicate', deliveries: 7 }] });
});

test('a batch that would write too many deliveries at once is refused whole with their number, one that just fits is not, a single event never is', () => {
  const wide: Matcher = {
    match: () => ({
      version: 1n,
      endpoints: new Array<number>(MAX_UNIT_DELIVERIES / 2).fill(1),
      ordered: new Map([[1, 'endpoint']]),
    }),
    laneOf: () => 0,
    isCostly: () => true,
  };
  const unit = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) =>
      pendingOf({ keys: [`1k${from + i}`], bodyHash: 'a', tenant: 1, type: 't' }, from + i),
    );
  const plan = planGroup([unit(3, 1), unit(2, 4)], knownOf({}, []), wide);
  expect(plan.results[0]).toEqual({ kind: 'too_many_deliveries', weight: 30_000 });
  expect(plan.results[1]?.kind).toBe('accepted');
  expect(plan.stored).toHaveLength(2);
  // A key of the refused batch is not taken.
  expect(planGroup([unit(3, 1), unit(1, 1)], knownOf({}, []), wide).results[1]).toMatchObject({
    items: [{ status: 'accepted' }],
  });
  const one = (match: Match): Match => ({ ...match, endpoints: new Array<number>(30_000).fill(1) });
  const widest: Matcher = { ...wide, match: (...given) => one(wide.match(...given) as Match) };
  expect(planGroup([unit(1, 1)], knownOf({}, []), widest).results[0]?.kind).toBe('accepted');
});

test('of a request with an event that takes too long to be matched nothing is stored, nor is what follows it matched; messages of a source are told apart', () => {
  const matched: string[] = [];
  const some: Matcher = {
    ...matcher,
    match: (num, event) => {
      matched.push(event.type);
      return event.type === 'long' ? { version: 1n, endpoints: null } : matcher.match(num, event);
    },
  };
  const of = (n: number, type: string) => pendingOf({ keys: [`1k${n}`], bodyHash: 'a', tenant: 1, type }, n);
  const batch = [of(1, 't'), of(2, 'long'), of(3, 'tt')];
  const plan = planGroup([batch, [of(1, 'ttt')]], knownOf({}, []), some);
  expect(plan.results[0]).toEqual({ kind: 'too_costly', index: 1 });
  // A key of the refused batch is not taken.
  expect(plan.results[1]).toMatchObject({ kind: 'accepted', items: [{ status: 'accepted' }] });
  expect(plan.stored).toHaveLength(1);
  expect(matched).toEqual(['t', 'long', 'ttt']);
  const messages = batch.map((event) => ({ ...event, source: { key: null } }));
  const independent = planGroup([messages], knownOf({}, []), some);
  expect(independent.results).toMatchObject([
    { kind: 'independent', items: [{ status: 'accepted' }, 'too_costly', { status: 'accepted' }] },
  ]);
  expect(independent.stored.map(({ event }) => event.publicId)).toEqual(['evt_1', 'evt_3']);
});

test('an event is kept from the endpoint that it is about, and from no other', () => {
  const plain = pendingOf({ keys: [], bodyHash: 'a', tenant: 1, type: 'tttt' }, 1);
  const plan = planGroup([[{ ...plain, exceptEndpoints: new Set([101]) }], [plain]], knownOf({}, []), matcher);
  expect(groupOf(plan).deliveries.map(({ endpointNum }) => endpointNum)).toEqual([100, 102, 100, 101, 102]);
  expect(plan.results[0]).toMatchObject({ items: [{ deliveries: 2 }] });
});

test('a unit that was checked by older event types than those of the routing stores nothing, and others go on', () => {
  const given = (n: number): PendingEvent => pendingOf({ keys: [`1k${n}`], bodyHash: 'a', tenant: 1, type: 'tt' }, n);
  const newer: Matcher = { ...matcher, match: (...of) => ({ ...matcher.match(...of)!, rulesVersion: 4n }) };
  const known = { claimed: new Map(), gone: new Set<number>() };
  const units = [
    [given(0), { ...given(1), rulesVersion: 3n }],
    [{ ...given(2), rulesVersion: 4n }],
    // The commit finds out that the routing is older.
    [{ ...given(3), rulesVersion: 5n }],
    [given(4)],
  ];
  const plan = planGroup(units, known, newer);
  expect(plan.results.map(({ kind }) => kind)).toEqual(['types_changed', 'accepted', 'accepted', 'accepted']);
  expect(plan.stored.map((each) => each.event.publicId)).toEqual(['evt_2', 'evt_3', 'evt_4']);
});

test('a unit with an event that is not to be matched now stores nothing and claims nothing, and is costly where its own tenant’s took long; others go on', () => {
  const given = (n: number, tenant: number, key = n): PendingEvent =>
    pendingOf({ keys: [`${tenant}k${key}`], bodyHash: 'a', tenant, type: 'tt' }, n);
  let asked = 0;
  const tired: Matcher = {
    ...matcher,
    match: (num, event) => {
      asked++;
      return (num === 2 && asked > 1) || num === 3 ? null : matcher.match(num, event);
    },
    isCostly: (num) => num === 2,
  };
  const units = [
    [given(0, 2), given(1, 2)],
    [given(2, 1)],
    [given(3, 2, 0)],
    [given(4, 1), given(5, 3)],
    [given(6, 1)],
  ];
  const plan = planGroup(units, knownOf({}, []), tired);
  expect(plan.results).toMatchObject([
    { kind: 'costly', tenantNum: 2 },
    { kind: 'accepted', items: [{ id: 'evt_2', status: 'accepted' }] },
    // Not a duplicate of what was not stored.
    { kind: 'costly', tenantNum: 2 },
    { kind: 'later' },
    { kind: 'accepted', items: [{ id: 'evt_6', status: 'accepted' }] },
  ]);
  expect(plan.stored.map((each) => each.event.publicId)).toEqual(['evt_2', 'evt_6']);
});

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
const matching = (match: (event: { readonly type: string }) => readonly number[]): Matcher => ({
  match: (_tenant, event) => ({ version: 1n, endpoints: match(event) }),
  laneOf: (num) => num % 100,
  isCostly: () => true,
});
const plainEvents = (count: number) =>
  range(1, count).map((n) => pendingOf({ keys: [`1k${n}`], bodyHash: 'a', tenant: 1, type: `t${n}` }, n));

test('an event that matches very many endpoints is left to a worker whole, and its answer counts all of them', () => {
  const [event] = plainEvents(1);
  const plan = planGroup(
    [[event!]],
    knownOf({}, []),
    matching(() => range(1, 5_000)),
  );
  const group = groupOf(plan);
  expect(group.deliveries).toEqual([]);
  expect(group.expansions).toEqual([{ eventUuid: event!.uuid, tenantNum: 1, endpointNums: range(1, 5_000) }]);
  expect(plan.results[0]).toMatchObject({ items: [{ status: 'accepted', deliveries: 5_000 }] });
  expect(group.claims).toMatchObject([{ deliveries: 5_000 }]);
});

test('a batch of 1,000 events for the same 5,000 endpoints is taken, and holds their numbers once', () => {
  // As filters make them: a new array for each event.
  const plan = planGroup(
    [plainEvents(1_000)],
    knownOf({}, []),
    matching(() => range(1, 5_000)),
  );
  expect(plan.results[0]?.kind).toBe('accepted');
  const { expansions = [] } = groupOf(plan);
  expect(expansions).toHaveLength(1_000);
  expect(new Set(expansions.map(({ endpointNums }) => endpointNums)).size).toBe(1);
});

test('a batch for very many different sets of endpoints is refused before its numbers fill the memory', () => {
  const matcher = matching(({ type }) => range(Number(type.slice(1)), 5_000));
  const plan = planGroup([plainEvents(1_000)], knownOf({}, []), matcher);
  expect(plan.results[0]?.kind).toBe('too_many_deliveries');
  expect(plan.stored).toEqual([]);
});

test('a batch whose events have some deliveries each is taken, however many they are together', () => {
  const plan = planGroup(
    [plainEvents(1_000)],
    knownOf({}, []),
    matching(() => range(1, 150)),
  );
  const { deliveries, expansions = [] } = groupOf(plan);
  expect(plan.results[0]?.kind).toBe('accepted');
  expect(deliveries.length).toBeLessThanOrEqual(MAX_UNIT_DELIVERIES);
  const deferred = expansions.reduce((sum, { endpointNums }) => sum + endpointNums.length, 0);
  expect(deliveries.length + deferred).toBe(150_000);
});

test('messages of a source stand for themselves: a conflict or a tenant that is gone costs the neighbours nothing', () => {
  const message = (n: number, given: Partial<Given>, place: string | null): PendingEvent => ({
    ...pendingOf({ keys: [], bodyHash: 'a', tenant: 1, type: 'tt', ...given }, n),
    source: { key: place },
  });
  const unit = [
    message(1, {}, 'p1'),
    message(2, { keys: ['1k1'] }, 'p2'),
    message(3, { tenant: 2 }, 'p3'),
    // The same place again, though it is read as something else by now.
    message(4, { keys: ['1k2'], bodyHash: 'b' }, 'p1'),
    message(5, {}, null),
  ];
  const by = { eventUuid: '00000000-0000-7000-8000-000000000009', externalId: 'known', deliveries: 3 };
  const known = { claimed: new Map([['1k1', { ...by, bodyHash: 'other' }]]), gone: new Set([2]) };
  const plan = planGroup([unit], known, matcher);
  expect(plan.results).toEqual([
    {
      kind: 'independent',
      items: [
        { id: 'evt_1', status: 'accepted', deliveries: 1 },
        'conflict',
        'tenant_gone',
        { id: 'evt_1', status: 'duplicate', deliveries: 1 },
        { id: 'evt_5', status: 'accepted', deliveries: 1 },
      ],
    },
  ]);
  expect(groupOf(plan).claims.map(({ key, bodyHash }) => [key, bodyHash])).toEqual([['p1', 'p1']]);
});
