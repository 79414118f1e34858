import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HandshakeVerdict } from '../../src/delivery/handshake.ts';
import { urlOf } from '../../src/domain/destination.ts';
import type { DeliveryTarget } from '../../src/domain/endpoint.ts';
import { claimValidations, recordValidation, type ValidationResult } from '../../src/store/endpoint-validations.ts';
import { loadTargets } from '../../src/store/targets.ts';
import { Validator } from '../../src/workers/validator.ts';
import { call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;
let tenants = 0;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown) => call(service.baseUrl, method, path, body);

async function newEndpoint(settings: object = {}) {
  const tenant = `validated-${++tenants}`;
  await api('POST', '/v1/tenants', { id: tenant });
  const url = 'https://receiver.example/a';
  const body = { url, validation: 'cloudevents', ...settings };
  const answer = await api('POST', `/v1/tenants/${tenant}/endpoints`, body);
  const path = `/v1/tenants/${tenant}/endpoints/${answer.body.id}`;
  const statusOf = async () => (await api('GET', path)).body.validation_status;
  return { tenant, id: answer.body.id as string, path, created: answer.body, statusOf };
}

/** A worker's validator whose receivers say what they are told to. */
function makeValidator(ask: (target: DeliveryTarget) => Promise<HandshakeVerdict | null>) {
  const { workerPool: pool, vault } = service.context;
  const results: ValidationResult[] = [];
  const failures: unknown[] = [];
  const defaults = { retryScheduleMs: [0], timeoutMs: 1_000, maxInFlight: 1 };
  const validator = new Validator({
    claim: (limit, asking) => claimValidations(pool, limit, 60_000, asking),
    targets: (nums) => loadTargets(pool, vault, defaults, nums),
    ask,
    record: (claimed, result) => recordValidation(pool, claimed, result),
    origin: 'events.example.com',
    onResult: (_target, result) => results.push(result),
    onFailure: (error) => failures.push(error),
  });
  return { validator, results, failures };
}

const allow = async (): Promise<HandshakeVerdict> => ({ kind: 'allowed', allowedPerMinute: 90 });

async function targetOf(id: string): Promise<DeliveryTarget> {
  const { apiPool, vault } = service.context;
  const { rows } = await apiPool.query<{ num: number }>('SELECT num FROM endpoints WHERE id = $1', [id]);
  const defaults = { retryScheduleMs: [0], timeoutMs: 1_000, maxInFlight: 1 };
  const loaded = (await loadTargets(apiPool, vault, defaults, [rows[0]!.num])).get(rows[0]!.num);
  if (loaded?.kind !== 'target') throw new Error('unusable');
  return loaded.target;
}

/** Whatever other tests have left due is out of the way. */
async function settleOthers(): Promise<void> {
  await service.context.apiPool.query('UPDATE endpoints SET validation_due_at = NULL');
}

test('an endpoint that wants validation is held until its receiver agrees, and its rate is the slower one', async () => {
  await settleOthers();
  const { id, created, tenant, statusOf } = await newEndpoint({ rate_limit: { per_second: 1, burst: 5 } });
  const pending = { state: 'pending', detail: null, tries: 0, validated_at: null, allowed_per_minute: null };
  expect(created).toMatchObject({ validation: 'cloudevents', validation_status: pending });
  expect(await targetOf(id)).toMatchObject({ awaitsValidation: true, requestOrigin: null });
  const { version } = await targetOf(id);
  await makeValidator(allow).validator.runOnce();
  expect(await statusOf()).toMatchObject({ state: 'validated', tries: 1, detail: null, allowed_per_minute: 90 });
  const validated = await targetOf(id);
  expect(validated).toMatchObject({
    awaitsValidation: false,
    requestOrigin: 'events.example.com',
    rateLimit: { perSecond: 1, burst: 1.5 },
  });
  expect(validated.version).toBeGreaterThan(version);
  const audit = await api('GET', `/v1/tenants/${tenant}/audit`);
  expect(audit.body.data[0]).toMatchObject({
    actor: 'system',
    action: 'endpoint.validated',
    object: id,
    after: { origin: 'events.example.com', allowed_per_minute: 90 },
  });
});

test('two workers never ask one receiver at once, and each is asked once', async () => {
  await settleOthers();
  const endpoints = await Promise.all(Array.from({ length: 20 }, () => newEndpoint()));
  const asked: string[] = [];
  const ask = async ({ id }: DeliveryTarget): Promise<HandshakeVerdict> => {
    asked.push(id);
    return allow();
  };
  const workers = [makeValidator(ask), makeValidator(ask), makeValidator(ask)];
  await Promise.all(workers.map(({ validator }) => validator.runOnce()));
  for (const { validator } of workers) await validator.runOnce();
  expect(asked.sort()).toEqual(endpoints.map(({ id }) => id).sort());
});

test('G4: receivers that do not answer hold up their own tenant alone, and no question waits for the answer to another', async () => {
  await settleOthers();
  const { tenant } = await newEndpoint();
  const url = 'https://silent.example/a';
  for (let n = 0; n < 40; n++) await api('POST', `/v1/tenants/${tenant}/endpoints`, { url, validation: 'cloudevents' });
  const stopping = new AbortController();
  const silent: string[] = [];
  const others = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let asked = 0;
  const { validator, failures } = makeValidator((target) => {
    if (target.tenantId !== tenant) {
      others[asked++]!.resolve();
      return allow();
    }
    silent.push(target.id);
    return new Promise((resolve) => stopping.signal.addEventListener('abort', () => resolve(null)));
  });
  await newEndpoint();
  const running = validator.runOnce(stopping.signal);
  await others[0]!.promise;
  // What comes later does not wait for those that are under way, either.
  await newEndpoint();
  await others[1]!.promise;
  expect(silent).toHaveLength(8);
  stopping.abort();
  await running;
  expect(failures).toEqual([]);
});

test('what one worker is about to claim no other claims, nor waits for', async () => {
  await settleOthers();
  await newEndpoint();
  const { workerPool } = service.context;
  const first = await workerPool.connect();
  try {
    await first.query('BEGIN');
    expect(await claimValidations(first as unknown as pg.Pool, 10, 60_000)).toHaveLength(1);
    expect(await claimValidations(workerPool, 10, 60_000)).toEqual([]);
    await first.query('COMMIT');
  } finally {
    first.release();
  }
  expect(await claimValidations(workerPool, 10, 60_000)).toEqual([]);
});

test('the answer to a question that was asked anew meanwhile changes nothing', async () => {
  await settleOthers();
  const { path, id, statusOf } = await newEndpoint();
  const urls: string[] = [];
  const { validator, results } = makeValidator(async ({ destination }) => {
    urls.push(urlOf(destination));
    if (urls.length === 1) await api('PATCH', path, { url: 'https://receiver.example/b' });
    else expect([results, await statusOf()]).toMatchObject([[], { state: 'pending', tries: 1 }]);
    return allow();
  });
  await validator.runOnce();
  expect(urls).toEqual(['https://receiver.example/a', 'https://receiver.example/b']);
  expect(results).toHaveLength(1);
  expect(await targetOf(id)).toMatchObject({ awaitsValidation: false });
});

test('another URL, or a call, has the receiver asked again and holds deliveries; other changes do not', async () => {
  await settleOthers();
  const { path, id, tenant, statusOf } = await newEndpoint();
  const validate = () => makeValidator(allow).validator.runOnce();
  await validate();
  await api('PATCH', path, { description: 'x', url: 'https://receiver.example/a' });
  expect(await statusOf()).toMatchObject({ state: 'validated' });
  await api('PATCH', path, { url: 'https://receiver.example/c' });
  expect(await statusOf()).toMatchObject({ state: 'pending', allowed_per_minute: null, validated_at: null });
  expect(await targetOf(id)).toMatchObject({ awaitsValidation: true, requestOrigin: null, rateLimit: null });
  await validate();
  const before = await targetOf(id);
  const asked = await api('POST', `${path}/validate`);
  expect(asked).toMatchObject({ status: 202, body: { validation_status: { state: 'pending' } } });
  expect(await targetOf(id)).toMatchObject({ awaitsValidation: true });
  expect((await targetOf(id)).version).toBeGreaterThan(before.version);
  await api('PATCH', path, { validation: 'none' });
  expect(await statusOf()).toBeNull();
  expect(await targetOf(id)).toMatchObject({ awaitsValidation: false, requestOrigin: null });
  expect(await api('POST', `${path}/validate`)).toMatchObject({ status: 409, body: { code: 'validation_not_wanted' } });
  const elsewhere = `/v1/tenants/${tenant}/endpoints/ep_00000000000000000000000000/validate`;
  expect((await api('POST', elsewhere)).status).toBe(404);
  const actions = (await api('GET', `/v1/tenants/${tenant}/audit`)).body.data.map(
    (line: { action: string }) => line.action,
  );
  expect(actions).toContain('endpoint.validation_asked');
});

test('a receiver that refuses is not asked again by itself', async () => {
  await settleOthers();
  const { path, statusOf } = await newEndpoint();
  const { validator, results } = makeValidator(async () => ({ kind: 'refused', detail: 'no' }));
  await validator.runOnce();
  await validator.runOnce();
  expect(results).toHaveLength(1);
  expect(await statusOf()).toMatchObject({ state: 'refused', detail: 'no', tries: 1 });
  await api('POST', `${path}/validate`);
  await validator.runOnce();
  expect(results).toHaveLength(2);
});

test('a receiver that is away is asked again later, a disabled or deleted endpoint not at all', async () => {
  await settleOthers();
  const { statusOf, id } = await newEndpoint();
  const off = await newEndpoint({ enabled: false });
  const gone = await newEndpoint();
  await api('DELETE', gone.path);
  const asked: string[] = [];
  const { validator } = makeValidator(async (target) => {
    asked.push(target.id);
    return { kind: 'unknown', detail: 'connection refused' };
  });
  await validator.runOnce();
  await validator.runOnce();
  expect(asked).toEqual([id]);
  expect(await statusOf()).toMatchObject({ state: 'pending', detail: 'connection refused', tries: 1 });
  const { rows } = await service.context.apiPool.query(
    'SELECT validation_due_at > now() AS later FROM endpoints WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ later: true }]);
  await api('PATCH', off.path, { enabled: true });
  await validator.runOnce();
  expect(asked).toEqual([id, off.id]);
});

test('a question that was given up is asked again when its lease is over', async () => {
  await settleOthers();
  const { id } = await newEndpoint();
  const { validator, results } = makeValidator(async () => null);
  await validator.runOnce();
  expect(results).toEqual([]);
  const { workerPool } = service.context;
  expect(await claimValidations(workerPool, 10, 1_000)).toEqual([]);
  await workerPool.query("UPDATE endpoints SET validation_due_at = now() - interval '1 second' WHERE id = $1", [id]);
  expect(await claimValidations(workerPool, 10, 1_000)).toMatchObject([{ tries: 2 }]);
});
