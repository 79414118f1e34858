import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { newUuid } from '../domain/ids.ts';
import { LOG_EVENTS, type LogEventName } from './log-events.ts';
import { logEventsPage } from './log-events-page.ts';
import { Observer } from './observer.ts';

type Line = Record<string, unknown> & { level: string; event: LogEventName };

/** Lines that `tell` brings about. */
function linesOf(tell: (observe: Observer) => void): Line[] {
  const lines: Line[] = [];
  const write = (level: string) => (line: object) => lines.push({ level, ...line } as Line);
  const log = { info: write('info'), warn: write('warn'), error: write('error') };
  tell(
    new Observer(log as unknown as Logger, (event, members) => write('info')({ event, ...JSON.parse(`{${members}}`) })),
  );
  return lines;
}

const ids = { tenantId: 'acme', endpointId: 'ep_1' };
const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 1 };
const response = { status: 500, headers: {}, body: Buffer.alloc(0), truncated: false };

function tellAll(observe: Observer): void {
  const error = Object.assign(new Error('away'), { code: 'E' });
  observe.lifecycle('started', { roles: 'api', host: '::', port: 1, version: '1' });
  observe.lifecycle('stopping', { reason: 'SIGTERM' });
  observe.lifecycle('stopped');
  observe.databaseUrlEmpty(['REDIS_URL', 'MASTER_KEY']);
  observe.databaseNewer(['20990101000000_wings']);
  for (const migration of ['20990101000000_wings', null]) observe.migrationWaits({ migration, waitsFor: 'process 7' });
  observe.linesDropped(3);
  observe.logCaughtUp();
  observe.eventsAccepted([
    { uuid: newUuid(Date.now()), externalId: null, tenantId: 'acme', type: 'a', bytes: 1, deliveries: 1 },
  ]);
  observe.eventMisfit({ tenantId: 'acme', type: 'a', version: '1.0', faults: [{ path: 'data' }] });
  const attemptIds = { ...ids, deliveryId: 'dlv_1' };
  const rejected = { kind: 'rejected', response, timing } as const;
  observe.attemptFinished({ attempt: 1, outcome: rejected, decision: { kind: 'retry', delayMs: 1 } }, attemptIds);
  const skipped = { kind: 'skipped', reason: 'withdrawn' } as const;
  observe.attemptFinished({ attempt: 1, outcome: skipped, decision: { kind: 'cancel' } }, attemptIds);
  observe.deliverySetAside({ eventUuid: newUuid(Date.now()), endpointNum: 1, strikes: 5 });
  observe.deliveriesExpired(Array.from({ length: 101 }, () => ({ ...ids, count: 2 })));
  observe.gateChanged({ kind: 'breaker_opened', ...ids, reason: 'probe_failed', untilMs: 1 });
  for (const kind of ['breaker_closed', 'worn_out'] as const) observe.gateChanged({ kind, ...ids });
  observe.gateChanged({ kind: 'throttled', ...ids, untilMs: 1 });
  for (const result of ['validated', 'refused', 'postponed'] as const) observe.endpointValidated({ ...ids, result });
  const told = { tenantId: 'acme', kind: 'endpoint.disabled', count: 1, events: 0 } as const;
  observe.noticesTold({ ...told, endpointId: 'ep_1', endpoints: 1 });
  observe.noticesTold({ ...told, endpointId: null, endpoints: 30 });
  for (const kind of ['held', 'released'] as const)
    observe.egressChanged({ kind, fault: 'dns', failing: 10, endpoints: 10 });
  observe.sources.changed({ id: 'src_1', name: 'orders', state: 'failing', error: 'away' });
  observe.sources.messagesRejected({ source: 'orders', reasons: new Map([['invalid', 2]]) });
  observe.sources.rejectedDropped({ source: 'orders', count: 1, unpublished: 1 });
  const place = { topic: 'orders', partition: 0, from: 1n, to: 2n };
  observe.sources.outOfRange({ source: 'orders', reason: 'deleted', ...place });
  observe.sources.startDeleted({ source: 'orders', ...place });
  observe.sources.deadLettersRefused({ source: 'orders', reasons: new Set(['too large']) }, 1);
  observe.requestFailed({ requestId: 'req_1', method: 'GET', path: '/v1', status: 500, error });
  observe.commitFailed(error, 1);
  observe.workFailed('endpoint', new Error('sealed'), attemptIds);
  observe.queueFailed(error);
  observe.workersGone({ workers: 1, lanes: 2 });
  observe.leaseLost(1);
  for (const duty of ['partitions_made', 'partitions_dropped'] as const) observe.housekeeping(duty, { tables: 'a' });
  for (const duty of [
    'dead_letters_forgotten',
    'rejected_messages_forgotten',
    'keys_resumed',
    'deliveries_withdrawn',
    'ends_added',
    'keys_forgotten',
    'secrets_forgotten',
    'deleted_endpoints_emptied',
  ] as const)
    observe.housekeeping(duty, { count: 1 });
}

test('every kind of line is written by something, with its level, and with all its fields and no others', () => {
  const lines = linesOf(tellAll);
  for (const [name, { level, fields }] of Object.entries(LOG_EVENTS)) {
    const ofKind = lines.filter(({ event }) => event === name);
    expect([name, new Set(ofKind.map((line) => line.level))]).toEqual([name, new Set([level])]);
    const carried = new Set(ofKind.flatMap(({ level: _level, event: _event, ...rest }) => Object.keys(rest)));
    // An error is one of ours, with a stack, or another's, with a code.
    const isOptional = (field: string) => field === 'code' || field === 'stack';
    const wanted = fields.filter((field) => carried.has(field) || !isOptional(field));
    expect([name, [...carried].sort()]).toEqual([name, wanted.sort()]);
  }
  expect(lines.filter(({ event }) => !(event in LOG_EVENTS))).toEqual([]);
});

test('every kind of line is on the page, in a row of four cells', () => {
  const rows = logEventsPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.map((row) => /`([^`]+)`/.exec(row)![1])).toEqual(Object.keys(LOG_EVENTS));
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
});
