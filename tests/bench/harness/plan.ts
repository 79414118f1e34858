/**
 * Which event goes where, known to load, sink and harness alike without a word between them. Event `n` is of group `n % groups`; a group has
 * `fanOut` endpoints of one tenant, all subscribed to the group's type. Endpoints are numbered from 0: `group * fanOut + k`.
 */
export interface Plan {
  /** Tells the events of one run from those of another: lower case letters and digits. */
  readonly run: string;
  readonly tenants: number;
  readonly groups: number;
  readonly fanOut: number;
}

export const endpointCount = (plan: Plan): number => plan.groups * plan.fanOut;

export const groupOf = (plan: Plan, endpoint: number): number => Math.floor(endpoint / plan.fanOut);

export const tenantOf = (plan: Plan, group: number): string => `bench-${plan.run}-${group % plan.tenants}`;

export const typeOf = (group: number): string => `bench.g${group}`;

export const eventId = (plan: Plan, n: number): string => `${plan.run}-${n}`;

/** The number of the event with this `webhook-id`; -1 when it is of another run. */
export function eventNumber(plan: Plan, id: string): number {
  if (!id.startsWith(plan.run) || id[plan.run.length] !== '-') return -1;
  const n = Number(id.slice(plan.run.length + 1));
  return Number.isSafeInteger(n) && n >= 0 ? n : -1;
}

/** Where a delivery stands among all of the run's: distinct for distinct (event, endpoint). -1 when that endpoint must not have that event. */
export function deliveryIndex(plan: Plan, n: number, endpoint: number): number {
  if (groupOf(plan, endpoint) !== n % plan.groups) return -1;
  return n * plan.fanOut + (endpoint % plan.fanOut);
}

/** The event as a producer posts it: the product's example event, 480 bytes or so when it is delivered. */
export function eventBody(plan: Plan, n: number): string {
  const group = n % plan.groups;
  return `{"id":"${eventId(plan, n)}","type":"${typeOf(group)}","version":"1.0","timestamp":"2026-01-01T10:30:00Z","tenant_id":"${tenantOf(plan, group)}","correlation_id":"corr_${n}","data":{"subscription":{"id":"sub_${n}","customer_id":"cus_${n}","status":"active","bundle_id":"bundle_premium","price_id":"price_monthly_99","note":"${NOTE}"}},"metadata":{"source":"subscription-service"}}`;
}

const NOTE =
  'renews on the first of each month, at the price of the month before, until the customer cancels it or a payment fails three times';
