import { newUuid, uuidTime } from '../../src/domain/ids.ts';
import { laneOf } from '../../src/routing/lane-of.ts';
import { DECISION, OUTCOME_CODES, type OutcomeName } from '../../src/store/codes.ts';
import { call } from './api.ts';
import { ensureTenant } from './ensure-tenant.ts';
import { TEST_LANES } from './test-server.ts';
import type { TestService } from './test-service.ts';

export interface TestTenant {
  readonly id: string;
  readonly num: number;
}

/** A tenant, made if it is not there. */
export async function makeTenant(service: TestService, id: string): Promise<TestTenant> {
  await ensureTenant(service.baseUrl, id);
  return { id, num: (await service.context.findTenant(id))!.num };
}

export interface TestEndpoint {
  readonly id: string;
  readonly num: number;
}

/** An endpoint of the tenant, made through the API. */
export async function makeEndpoint(
  service: TestService,
  tenant: TestTenant,
  settings: Record<string, unknown> = {},
): Promise<TestEndpoint> {
  const body = { url: 'http://127.0.0.1:9/', ...settings };
  const answer = await call(service.baseUrl, 'POST', `/v1/tenants/${tenant.id}/endpoints`, body);
  if (answer.status !== 201) throw new Error(`The endpoint was refused: ${JSON.stringify(answer.body)}`);
  const { rows } = await service.context.apiPool.query<{ num: number }>('SELECT num FROM endpoints WHERE id = $1', [
    answer.body.id,
  ]);
  return { id: answer.body.id, num: rows[0]!.num };
}

/** Puts an event straight into the log, as accepted now, by the service's clock, unless its UUID says otherwise. @returns its UUID. */
export async function logEvent(
  service: TestService,
  tenant: TestTenant,
  type = 'order.created',
  uuid: string = newUuid(service.context.clock.nowMs()),
): Promise<string> {
  const body = JSON.stringify({
    id: uuid,
    type,
    version: '1.0',
    timestamp: new Date(uuidTime(uuid)).toISOString(),
    tenant_id: tenant.id,
    data: {},
  });
  await service.context.apiPool.query('INSERT INTO events (id, tenant_num, type, body) VALUES ($1, $2, $3, $4)', [
    uuid,
    tenant.num,
    type,
    Buffer.from(body),
  ]);
  return uuid;
}

/** Puts an attempt on record. */
export async function logAttempt(
  service: TestService,
  tenant: TestTenant,
  eventUuid: string,
  endpoint: TestEndpoint,
  attempt: number,
  outcome: OutcomeName,
  decision: keyof typeof DECISION,
): Promise<void> {
  const status = outcome === 'delivered' ? 200 : outcome === 'rejected' ? 500 : null;
  await service.context.apiPool.query(
    `INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, status, total_ms)
     VALUES ($1, now(), $2, $3, $4, $5, $6, $7, $8)`,
    [eventUuid, endpoint.num, tenant.num, attempt, OUTCOME_CODES[outcome], DECISION[decision], status, attempt * 10],
  );
}

/** Puts a delivery into the mailbox with `attempt` attempts on record, due in an hour. */
export async function logWaiting(
  service: TestService,
  tenant: TestTenant,
  eventUuid: string,
  endpoint: TestEndpoint,
  attempt = 0,
): Promise<void> {
  await service.context.apiPool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, attempt) VALUES ($1, now() + interval '1 hour', $2, $3, $4, $5)`,
    [eventUuid, endpoint.num, tenant.num, laneOf(endpoint.num, TEST_LANES), attempt],
  );
}

/** Makes this dead letter the one that its ordered endpoint waits for, with an event behind it. @returns the UUID of that event. */
export async function logPaused(
  service: TestService,
  tenant: TestTenant,
  deadUuid: string,
  endpoint: TestEndpoint,
): Promise<string> {
  const behind = await logEvent(service, tenant);
  await logWaiting(service, tenant, behind, endpoint);
  const { apiPool } = service.context;
  await apiPool.query(
    `UPDATE mailbox SET parked = true, due_at = 'infinity', order_key = 0, seq = 2 WHERE event_id = $1`,
    [behind],
  );
  await apiPool.query('INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq) VALUES ($1, 0, $2, 1)', [
    endpoint.num,
    deadUuid,
  ]);
  return behind;
}
