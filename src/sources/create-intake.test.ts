import { expect, test } from 'vitest';
import type { SourceMapping } from '../config/source-schema.ts';
import type { TenantRef } from '../domain/caller.ts';
import type { AcceptDependencies } from '../ingest/accept.ts';
import type { RejectedMessage } from '../store/rejected-messages.ts';
import { createIntake } from './create-intake.ts';
import type { IncomingMessage } from './intake.ts';

const MAPPING: SourceMapping = { format: 'cloudevents', tenant_extension: 'tenantid' };

/** Those of these that a source of the tenant acme rejects. */
async function rejectedOf(messages: readonly IncomingMessage[]): Promise<readonly RejectedMessage[]> {
  const rejected: RejectedMessage[] = [];
  const intake = createIntake({
    source: { id: 'src_1', name: 'shop', tenantId: 'acme' },
    mapping: MAPPING,
    accept: {
      recallTenant: (id: string): TenantRef => ({ num: 1, id }),
      pgNowMs: () => 0,
      maxEventBytes: 10_000,
      withinDeadline: (work: Promise<unknown>) => work,
      types: { rules: { check: () => ({ mode: 'off', faults: [], rulesVersion: 0n }) } },
      findGeneratedIds: async () => new Set(),
      commits: {
        submit: async (events: readonly unknown[]) => ({
          kind: 'independent',
          items: events.map(() => ({ status: 'accepted', deliveries: 0 })),
        }),
      },
    } as unknown as AcceptDependencies,
    limits: { charge: async () => ({ refusal: null }), accepted: () => {} } as never,
    reject: async (some) => {
      rejected.push(...some);
      return some.length;
    },
    onRejected: () => {},
    onTaken: () => {},
  });
  await intake.take(messages);
  return rejected;
}

function binary(attributes: Readonly<Record<string, string>>): IncomingMessage {
  const all = { specversion: '1.0', id: '1', source: '/s', type: 'order.paid', ...attributes };
  return {
    position: 'orders/0/7',
    group: 'orders/0',
    attributes: new Map(),
    key: null,
    headers: new Map(Object.entries(all).map(([name, value]) => [`ce_${name}`, Buffer.from(value)])),
    body: Buffer.from('{"amount":1}'),
    timestampMs: null,
  };
}

function structured(more: object): IncomingMessage {
  const event = { specversion: '1.0', id: '1', source: '/s', type: 'order.paid', data: 1, ...more };
  const headers = new Map([['content-type', Buffer.from('application/cloudevents+json')]]);
  return { ...binary({}), headers, body: Buffer.from(JSON.stringify(event)) };
}

test("a CloudEvent that names another tenant than its source's is rejected, and the operator is told why", async () => {
  for (const message of [binary({ tenantid: 'other' }), structured({ tenantid: 'other' })]) {
    const [rejected] = await rejectedOf([message]);
    expect(rejected).toMatchObject({
      reason: 'tenant_not_found',
      faults: [{ path: 'tenantid', message: 'the source takes messages of the tenant acme alone' }],
    });
  }
});

test("a CloudEvent that names its source's tenant, or none, is taken", async () => {
  expect(await rejectedOf([binary({ tenantid: 'acme' }), binary({}), structured({ tenantid: 'acme' })])).toEqual([]);
});
