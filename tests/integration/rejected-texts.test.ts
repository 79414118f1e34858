import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIntake } from '../../src/sources/create-intake.ts';
import type { IncomingMessage } from '../../src/sources/intake.ts';
import { KafkaHealth } from '../../src/sources/kafka-health.ts';
import { keepRejected } from '../../src/store/rejected-messages.ts';
import { readStates, reportStates } from '../../src/store/source-states.ts';
import { createSource } from '../../src/store/sources.ts';
import { ensureTenant } from '../support/ensure-tenant.ts';
import { query } from '../support/query.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await ensureTenant(service.baseUrl, 'acme');
});
afterAll(() => service.stop());

async function newSource() {
  const description = { name: randomUUID(), type: 'kafka', origin: 'api', plain: {}, secrets: {} } as const;
  return (await createSource(service.context, description, 'operator'))!;
}

/** As a process takes in what a broker brings for a source of the tenant. */
function intakeOf({ num }: { readonly num: number }) {
  const { accept, ingestLimits, apiPool, clock } = service.context;
  return createIntake({
    source: { id: 'src_1', name: 'orders', tenantId: 'acme' },
    mapping: { format: 'envelope' },
    accept,
    limits: ingestLimits,
    reject: (messages, isRetry) =>
      keepRejected(apiPool, num, messages, { isRetry, publish: false, nowMs: clock.nowMs() }),
    onRejected: () => {},
    onTaken: () => {},
  });
}

function message(position: number, body: string): IncomingMessage {
  return {
    ...{ position: `orders/0/${position}`, group: 'orders/0', attributes: new Map(), key: null },
    ...{ headers: new Map(), body: Buffer.from(body), timestampMs: null },
  };
}

test('a message whose faults name a field that is cut in the midst of a character is kept, and its neighbour is an event', async () => {
  const source = await newSource();
  const intake = intakeOf(source);
  const name = `${'a'.repeat(999)}😀`;
  await intake.take([
    message(1, JSON.stringify({ type: 'a.b', data: 1, [name]: 1 })),
    message(2, JSON.stringify({ type: 'a.b', data: 2 })),
  ]);
  expect(intake.counts()).toEqual({ events: 1, duplicates: 0, rejected: 1 });
  const rows = await query(
    service.databaseUrl,
    'SELECT position, reason, faults FROM rejected_messages WHERE source_num = $1',
    [source.num],
  );
  expect(rows).toMatchObject([{ position: 'orders/0/1', reason: 'invalid_event' }]);
  expect(rows[0]!.faults[0].path).toBe(`${'a'.repeat(999)}�`);
});

test('what ails a source is told though its text has a NUL, or is cut in the midst of a character; so are its neighbours', async () => {
  const sources = [await newSource(), await newSource()];
  const health = new KafkaHealth();
  health.fail(new Error(`\0${'a'.repeat(498)}😀`));
  const { error } = health;
  const { apiPool } = service.context;
  const reports = sources.map(({ num }, i) => ({ sourceNum: num, state: { error: i === 0 ? error : null } }));
  await reportStates(apiPool, 'ingest_1', reports);
  const told = await readStates(
    apiPool,
    sources.map(({ num }) => num),
  );
  expect(told.map(({ state }) => state)).toEqual([{ error: `${'a'.repeat(498)}�` }, { error: null }]);
});
