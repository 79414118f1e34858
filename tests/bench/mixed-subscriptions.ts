import type { Subscription } from '../../src/routing/subscription-clauses.ts';

/** Subscriptions of ten kinds, one operator each, and events that exactly one of each kind matches. */
export const KINDS = 10;

/** The n-th subscription; n / KINDS is what sets it apart from others of its kind. */
export function mixedSubscription(n: number): Subscription {
  const id = Math.floor(n / KINDS);
  return { types: [`order.${TYPES[id % TYPES.length]}`], filter: JSON.stringify(filterOf(n % KINDS, id)) };
}

const TYPES = ['created', 'paid', 'shipped', 'returned'];

function filterOf(kind: number, id: number): unknown {
  switch (kind) {
    case 0:
      return { data: { customer: [`customer-${id}`] } };
    case 1:
      return { data: { path: [{ prefix: `/shops/${id}/` }] } };
    case 2:
      return { data: { host: [{ suffix: `.shop-${id}.example.com` }] } };
    case 3:
      return { data: { email: [{ 'equals-ignore-case': `User-${id}@Example.com` }] } };
    case 4:
      return { data: { trace: [{ wildcard: `*-job-${id}-*` }] } };
    case 5:
      return { data: { amount: [{ numeric: ['>=', id, '<', id + 1] }] } };
    case 6:
      return { data: { region: [{ 'anything-but': ['test', 'dev'] }], account: [id] } };
    case 7:
      return { data: { ip: [{ cidr: `${addressOf(id)}/120` }] } };
    case 8:
      return { data: { items: { sku: [`sku-${id}`], qty: [{ numeric: ['>', 1] }] } } };
    default:
      return { $or: [{ data: { ref: [`ref-${id}`], gone: [{ exists: false }] } }, { data: { other: [`ref-${id}`] } }] };
  }
}

function addressOf(id: number): string {
  return `2001:db8:${(id >>> 16).toString(16)}:${(id & 0xffff).toString(16)}::`;
}

/** An event of about 900 bytes that the id-th subscription of each kind matches, and nothing else. */
export function mixedEvent(id: number): string {
  const item = (sku: string, qty: number) => ({ sku, qty, name: 'A thing that was ordered', price: '12.50' });
  return JSON.stringify({
    id: 'evt_0197f3c27a7d7c3b8f6e5d4c3b2a1908',
    type: `order.${TYPES[id % TYPES.length]}`,
    version: '1.0',
    timestamp: '2024-03-14T10:30:00Z',
    tenant_id: 'acme',
    subject: `order/${id}`,
    data: {
      customer: `customer-${id}`,
      path: `/shops/${id}/orders/7`,
      host: `www.shop-${id}.example.com`,
      email: `USER-${id}@example.com`,
      trace: `host7-job-${id}-try1`,
      amount: id + 0.5,
      region: 'eu-central',
      account: id,
      ip: `${addressOf(id)}7f`,
      items: [item('sku-x', 5), item(`sku-${id}`, 1), item(`sku-${id}`, 2), item('sku-y', 1)],
      ref: `ref-${id}`,
      note: 'The quick brown fox jumps over the lazy dog. '.repeat(3),
    },
    metadata: { source: 'shop', idempotency_key: `key-${id}` },
  });
}
