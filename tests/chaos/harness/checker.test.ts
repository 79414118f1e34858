import { expect, test } from 'vitest';
import { eventIdOf, newUuid, parseUuid } from '../../../src/domain/ids.ts';
import { DECISION } from '../../../src/store/codes.ts';
import { History } from './history.ts';
import { type Allowances, judge } from './judge.ts';
import type { LedgerRecord, RequestRecord } from './ledger-writer.ts';
import { routesOf } from './routes.ts';
import { type Leniency, PROBLEM, Tally } from './tally.ts';

const ALLOWED: Allowances = {
  repeatsAtMost: 0,
  recoveryMs: 1_000,
  recoveryAtMostMs: 2_000,
  refusals: [],
  refusalAtMostMs: 1_000,
};
const STRICT: Leniency = { mayWait: () => false, mayMiss: () => false, endsOften: false };
/** Two endpoints of one tenant, and one of another. */
const routes = routesOf([{ tenant: 'acme' }, { tenant: 'acme' }, { tenant: 'globex' }]);
const ACME = 0;
const GLOBEX = 1;

/** A made-up run that is in order: three events of acme, one of globex, each delivered once. Tests spoil it. */
class MadeUp {
  readonly history = new History();
  readonly uuids: string[] = [];
  ledger: LedgerRecord[] = [];
  stored: { event: number; id: Buffer }[] = [];
  attempts: { event: number; endpoint: number; attempt: number; decision: number; status: number | null }[] = [];
  waiting: { event: number; endpoint: number }[] = [];

  constructor(subject = 0) {
    for (const route of [ACME, ACME, ACME, GLOBEX]) {
      const event = this.history.add(route, subject);
      const uuid = newUuid(Date.now());
      this.uuids.push(uuid);
      this.history.accept(event, eventIdOf(uuid));
      this.stored.push({ event, id: parseUuid(uuid) });
      for (const endpoint of routes[route]!.endpoints) this.deliver(event, endpoint);
    }
  }

  deliver(event: number, endpoint: number, more: Partial<RequestRecord> = {}, status = 204): void {
    const request = this.ledger.length + 1;
    this.ledger.push(
      {
        kind: 'request',
        request,
        atMs: request,
        endpoint,
        event,
        webhookId: eventIdOf(this.uuids[event]!),
        deliveryId: '',
        attempt: 1,
        isVerified: true,
        isOwn: true,
        bodyHash: event,
        lagMs: 5,
        ...more,
      },
      { kind: 'answer', request, atMs: request, status },
    );
    this.attempts.push({ event, endpoint, attempt: more.attempt ?? 1, decision: DECISION.done, status });
  }

  /** Whatever the ledger has of this delivery. */
  forget(event: number, endpoint: number): void {
    const gone = new Set(
      this.ledger
        .filter((r) => r.kind === 'request' && r.event === event && r.endpoint === endpoint)
        .map((r) => r.request),
    );
    this.ledger = this.ledger.filter((record) => !gone.has(record.request));
  }

  verdicts(allowed: Partial<Allowances> = {}, leniency: Partial<Leniency> = {}) {
    const tally = new Tally(this.history, routes);
    for (const record of this.ledger) tally.ledger(record);
    for (const fact of this.stored) tally.stored(fact);
    for (const fact of this.attempts) tally.attempted(fact);
    for (const fact of this.waiting) tally.waiting(fact);
    tally.compare({ ...STRICT, ...leniency });
    const violated = judge(tally, this.history, { ...ALLOWED, ...allowed }).filter(({ isHeld }) => !isHeld);
    return {
      names: violated.map(({ name }) => name.split(' ')[0]),
      evidence: violated.map(({ evidence }) => evidence).join('\n'),
      lost: tally.problems.count(PROBLEM.lost),
    };
  }
}

test('a run in order violates nothing', () => {
  expect(new MadeUp().verdicts()).toEqual({ names: [], evidence: '', lost: 0 });
});

test('a lost event is found: acknowledged, and in no table', () => {
  const run = new MadeUp();
  run.stored.splice(1, 1);
  run.attempts = run.attempts.filter(({ event }) => event !== 1);
  for (const endpoint of [0, 1]) run.forget(1, endpoint);
  const { names, evidence, lost } = run.verdicts();
  expect(names).toEqual(expect.arrayContaining(['I1', 'I2', 'I3']));
  expect(evidence).toContain('event 1');
  expect(lost).toBe(2);
});

test('a lost delivery is found although its event is stored', () => {
  const run = new MadeUp();
  run.attempts = run.attempts.filter(({ event, endpoint }) => event !== 2 || endpoint !== 1);
  run.forget(2, 1);
  expect(run.verdicts()).toMatchObject({ names: ['I2', 'I3'], lost: 1 });
});

test('only an endpoint that was disabled meanwhile may be passed by', () => {
  const run = new MadeUp();
  run.attempts = run.attempts.filter(({ event, endpoint }) => event !== 2 || endpoint !== 1);
  run.forget(2, 1);
  expect(run.verdicts({}, { mayMiss: (endpoint) => endpoint === 1 })).toMatchObject({ names: [], lost: 0 });
  expect(run.verdicts({}, { mayMiss: (endpoint) => endpoint === 0 })).toMatchObject({ names: ['I2', 'I3'], lost: 1 });
});

test('an event that is stored twice, under another id, after a refusal, or that nobody posted is found', () => {
  const twice = new MadeUp();
  twice.stored.push({ event: 0, id: parseUuid(newUuid(Date.now())) });
  expect(twice.verdicts().evidence).toMatch(/stored more than once: event 0.*another id/);
  const refused = new MadeUp();
  const event = refused.history.add(ACME);
  refused.history.refuse(event, { status: 422, retryAfter: null, code: 'invalid', tookMs: 5 });
  refused.stored.push({ event, id: parseUuid(newUuid(Date.now())) });
  for (const endpoint of [0, 1])
    refused.attempts.push({ event, endpoint, attempt: 1, decision: DECISION.deadLetter, status: null });
  expect(refused.verdicts({ refusals: [422] })).toMatchObject({
    names: ['I1'],
    evidence: expect.stringContaining('refused and stored'),
  });
  const stranger = new MadeUp();
  stranger.stored.push({ event: 77, id: parseUuid(newUuid(Date.now())) });
  expect(stranger.verdicts()).toMatchObject({ names: ['I1'] });
});

test('an id that changes for one key is found', () => {
  const run = new MadeUp();
  run.history.accept(0, eventIdOf(newUuid(Date.now())));
  expect(run.verdicts()).toMatchObject({ names: ['I1'], evidence: expect.stringContaining('event 0 was first') });
});

test('an answer that was lost is told from a request that was', () => {
  const run = new MadeUp();
  const [stored, unknown] = [run.history.add(ACME), run.history.add(ACME)];
  run.history.noAnswer([stored, unknown]);
  run.history.accept(stored, eventIdOf(newUuid(Date.now())), true);
  run.history.accept(unknown, eventIdOf(newUuid(Date.now())), false);
  expect([run.history.unanswered, run.history.lostAnswers]).toEqual([1, 1]);
});

test('a delivery that ended twice, or ended and still waits, is found', () => {
  const twice = new MadeUp();
  twice.attempts.push({ event: 0, endpoint: 0, attempt: 2, decision: DECISION.deadLetter, status: null });
  expect(twice.verdicts()).toMatchObject({ names: ['I2'] });
  const waits = new MadeUp();
  waits.waiting.push({ event: 0, endpoint: 0 });
  expect(waits.verdicts()).toMatchObject({ names: ['I2', 'I3'] });
});

test('an event at an endpoint of another tenant is found, at the receiver and in the database', () => {
  const run = new MadeUp();
  run.deliver(0, 2, { isOwn: false });
  expect(run.verdicts()).toMatchObject({ names: expect.arrayContaining(['I2', 'I7']) });
});

test('a delivery that still waits is late and not lost, unless it is meant to wait', () => {
  const run = new MadeUp();
  run.attempts = run.attempts.filter(({ endpoint }) => endpoint !== 2);
  run.forget(3, 2);
  run.waiting.push({ event: 3, endpoint: 2 });
  expect(run.verdicts()).toMatchObject({ names: ['I3'], lost: 0 });
  expect(run.verdicts({}, { mayWait: (endpoint) => endpoint === 2 })).toMatchObject({ names: [], lost: 0 });
});

test('a recovery that took too long is found', () => {
  expect(new MadeUp().verdicts({ recoveryMs: 2_001 })).toMatchObject({ names: ['I3'] });
});

test('a false "delivered" is found: called so, and the receiver said otherwise or never had it', () => {
  const refused = new MadeUp();
  refused.forget(0, 0);
  refused.attempts.shift();
  refused.deliver(0, 0, {}, 500);
  expect(refused.verdicts().names).toEqual(['I3', 'I4']);
  const never = new MadeUp();
  never.forget(0, 0);
  expect(never.verdicts().names).toEqual(['I3', 'I4', 'I6']);
});

test('a duplicate too many is found, and one that a crash explains is not', () => {
  const run = new MadeUp();
  run.deliver(1, 1);
  run.attempts.pop();
  expect(run.verdicts()).toMatchObject({ names: ['I5'], evidence: expect.stringContaining('1 duplicates') });
  expect(run.verdicts({ repeatsAtMost: 1 }).names).toEqual([]);
});

test('a repeated request counts although neither got an answer', () => {
  const run = new MadeUp();
  run.forget(1, 1);
  run.attempts = run.attempts.filter(({ event, endpoint }) => event !== 1 || endpoint !== 1);
  run.deliver(1, 1, {}, 0);
  run.attempts.pop();
  run.deliver(1, 1);
  expect(run.verdicts()).toMatchObject({ names: ['I5'] });
});

test('a duplicate with another id or another body is found', () => {
  const body = new MadeUp();
  body.deliver(1, 1, { bodyHash: 99 });
  body.attempts.pop();
  expect(body.verdicts({ repeatsAtMost: 1 })).toMatchObject({
    names: ['I5'],
    evidence: expect.stringContaining('another body'),
  });
  const id = new MadeUp();
  id.deliver(1, 1, { webhookId: 'evt_other' });
  id.attempts.pop();
  expect(id.verdicts({ repeatsAtMost: 1 })).toMatchObject({
    names: ['I5'],
    evidence: expect.stringContaining('webhook-id'),
  });
});

test('a request without an attempt on record is found, unless it may have been interrupted', () => {
  const run = new MadeUp();
  run.attempts = run.attempts.map((fact) =>
    fact.event === 0 && fact.endpoint === 0 ? { ...fact, attempt: 2, status: null } : fact,
  );
  expect(run.verdicts().names).toEqual(['I6']);
  expect(run.verdicts({ repeatsAtMost: 1 }).names).toEqual([]);
});

test('a wrong signature is found', () => {
  const run = new MadeUp();
  run.deliver(2, 0, { isVerified: false });
  run.attempts.pop();
  expect(run.verdicts({ repeatsAtMost: 1 }).names).toEqual(['I11']);
});

test('a refusal that is not 503, that does not say when to come again, or that is slow is found', () => {
  const refuse = (status: number, retryAfter: string | null, tookMs: number) => {
    const run = new MadeUp();
    run.history.refuse(run.history.add(ACME), { status, retryAfter, code: '', tookMs });
    return run.verdicts({ refusals: [503] }).names;
  };
  expect(refuse(503, '1', 900)).toEqual([]);
  expect(refuse(500, '1', 900)).toEqual(['I8']);
  expect(refuse(503, null, 900)).toEqual(['I8']);
  expect(refuse(503, '1', 1_001)).toEqual(['I8']);
});

test('an inversion is found: a first 2xx out of the order of acceptance, within one subject', () => {
  const inOrder = new MadeUp(1);
  expect(inOrder.verdicts().names).toEqual([]);
  const inverted = new MadeUp(1);
  inverted.ledger = [2, 0, 1].flatMap((event) =>
    inverted.ledger.filter((record) =>
      inverted.ledger.find((r) => r.kind === 'request' && r.request === record.request && r.event === event),
    ),
  );
  expect(inverted.verdicts().evidence).toContain('received out of order: event 0 after 2 of subject 1');
});

test('a duplicate that comes late is no inversion, and a failure before it none either', () => {
  const run = new MadeUp(1);
  run.deliver(0, 0, { attempt: 2 });
  run.attempts.pop();
  expect(run.verdicts({ repeatsAtMost: 2 }).names).toEqual([]);
});

test('a million events are little memory', () => {
  const history = new History();
  for (let event = 0; event < 1_000_000; event++) history.add(event % 2);
  const before = process.memoryUsage().arrayBuffers;
  const tally = new Tally(history, routes);
  expect(tally.slots.size).toBe(1_500_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
});
