import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readFigures } from '../../src/store/installation-figures.ts';
import { logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  const tenant = await makeTenant(service, 'acme');
  const endpoint = await makeEndpoint(service, tenant, {});
  await query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) VALUES ($1, now() - interval '136 s', $2, $3, 0)`,
    [await logEvent(service, tenant), endpoint.num, tenant.num],
  );
});

afterAll(() => service.stop());

beforeEach(async () => {
  await query('UPDATE mailbox SET parked = false');
  await query(`UPDATE lanes SET owner = NULL, leased_until = '-infinity', acquired_at = now() - interval '1 hour'`);
});

const query = (text: string, values: unknown[] = []) => service.context.workerPool.query(text, values);
const figures = () => readFigures(service.context.workerPool);

test('what is due in a lane that nobody holds has waited since it was due', async () => {
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  expect(unowned_due_age_seconds).toBeGreaterThanOrEqual(135);
  expect(unowned_due_age_seconds).toBe(due_age_seconds);
});

test('what its worker holds back for the limits of its endpoint, or has under way, waits for nobody', async () => {
  await query(`UPDATE lanes SET owner = 'worker_1', leased_until = now() + interval '1 hour' WHERE lane = 0`);
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  expect(due_age_seconds).toBeGreaterThanOrEqual(135);
  expect(unowned_due_age_seconds).toBe(0);
});

test('a lane that changes hands has waited for no longer than since it was taken last', async () => {
  await query(`UPDATE lanes SET acquired_at = now() - interval '10 s'`);
  const { due_age_seconds, unowned_due_age_seconds } = await figures();
  // A clock may go back a little between two statements.
  expect(unowned_due_age_seconds).toBeGreaterThan(9);
  expect(unowned_due_age_seconds).toBeLessThan(due_age_seconds);
});

test('the lane of a worker that died is held by nobody once its lease is over', async () => {
  await query(`UPDATE lanes SET owner = 'worker_1', leased_until = now() - interval '1 s'`);
  expect((await figures()).unowned_due_age_seconds).toBeGreaterThanOrEqual(135);
});

test('what is parked, or not due yet, has not waited', async () => {
  await query('UPDATE mailbox SET parked = true');
  expect((await figures()).unowned_due_age_seconds).toBe(0);
  await query(`UPDATE mailbox SET parked = false, due_at = now() + interval '1 hour'`);
  expect((await figures()).unowned_due_age_seconds).toBe(0);
});
