import type { SchemaObject } from '../json-schema.ts';
import type { Preset, PresetType } from '../presets.ts';

type Properties = Readonly<Record<string, SchemaObject>>;

const text: SchemaObject = { type: 'string', minLength: 1, maxLength: 256 };
const instant: SchemaObject = { type: 'string', format: 'date-time' };
/** In the smallest unit of the currency: fractions of money do not survive floating point. */
const amount: SchemaObject = { type: 'integer', minimum: 0 };
const currency: SchemaObject = { type: 'string', pattern: '^[A-Z]{3}$' };
const at = '2024-03-14T10:30:00Z';

/**
 * Types of one subject: the subject stands in `data` under its own name, as in the example of the envelope. Schemas are open, so that producers may
 * add to them.
 */
function typesOf(
  subject: string,
  own: { readonly required: readonly string[]; readonly properties: Properties; readonly example: object },
  events: Readonly<
    Record<string, { description: string; required?: Properties; optional?: Properties; example: object }>
  >,
): PresetType[] {
  return Object.entries(events).map(([event, { description, required = {}, optional = {}, example }]) => ({
    type: `${subject}.${event}`,
    description,
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: description,
      type: 'object',
      required: [subject],
      properties: {
        [subject]: {
          type: 'object',
          required: [...own.required, ...Object.keys(required)],
          properties: { ...own.properties, ...required, ...optional },
        },
      },
    },
    example: { [subject]: { ...own.example, ...example } },
  }));
}

const subscription = typesOf(
  'subscription',
  {
    required: ['id', 'customer_id', 'status'],
    properties: { id: text, customer_id: text, status: text, bundle_id: text, price_id: text },
    example: {
      id: 'sub_1234567890',
      customer_id: 'cus_1234567890',
      status: 'active',
      bundle_id: 'bundle_premium',
      price_id: 'price_monthly_99',
    },
  },
  {
    created: { description: 'A new subscription was activated', example: {} },
    updated: {
      description: 'Details of a subscription changed',
      optional: { changes: { type: 'array', items: text, maxItems: 100 } },
      example: { price_id: 'price_yearly_990', changes: ['price_id'] },
    },
    cancelled: {
      description: 'A subscription was cancelled',
      optional: { reason: text, cancelled_at: instant, ends_at: instant },
      example: { status: 'cancelled', reason: 'customer_request', cancelled_at: at },
    },
    renewed: {
      description: 'A subscription was renewed',
      optional: { period_start: instant, period_end: instant },
      example: { period_start: at, period_end: '2024-04-14T10:30:00Z' },
    },
    paused: {
      description: 'A subscription was paused for a time',
      optional: { resumes_at: instant },
      example: { status: 'paused', resumes_at: '2024-05-01T00:00:00Z' },
    },
    resumed: { description: 'A paused subscription is active again', example: {} },
  },
);

const payment = typesOf(
  'payment',
  {
    required: ['id', 'amount', 'currency', 'status'],
    properties: { id: text, customer_id: text, subscription_id: text, amount, currency, status: text },
    example: {
      id: 'pay_1234567890',
      customer_id: 'cus_1234567890',
      subscription_id: 'sub_1234567890',
      amount: 9900,
      currency: 'EUR',
    },
  },
  {
    authorized: { description: 'A payment was authorised', example: { status: 'authorized' } },
    captured: { description: 'A payment was captured or settled', example: { status: 'captured' } },
    failed: {
      description: 'A payment was tried and failed',
      optional: { failure_code: text, failure_message: text },
      example: { status: 'failed', failure_code: 'card_declined' },
    },
    refunded: {
      description: 'A refund was made',
      required: { refund_amount: amount },
      optional: { reason: text },
      example: { status: 'refunded', refund_amount: 9900, reason: 'requested_by_customer' },
    },
    disputed: {
      description: 'A payment is disputed: a chargeback has begun',
      optional: { dispute_id: text, reason: text, evidence_due_at: instant },
      example: { status: 'disputed', dispute_id: 'dis_1', reason: 'fraudulent' },
    },
  },
);

const customer = typesOf(
  'customer',
  {
    required: ['id'],
    properties: { id: text, email: { type: 'string', format: 'email' }, name: text },
    example: { id: 'cus_1234567890' },
  },
  {
    created: { description: 'A new customer registered', example: { email: 'ada@example.com', name: 'Ada' } },
    updated: {
      description: 'The profile of a customer changed',
      optional: { changes: { type: 'array', items: text, maxItems: 100 } },
      example: { email: 'ada@example.org', changes: ['email'] },
    },
    deleted: {
      description: 'The account of a customer was deleted',
      optional: { deleted_at: instant },
      example: { deleted_at: at },
    },
  },
);

const campaign = typesOf(
  'campaign',
  {
    required: ['id'],
    properties: { id: text, name: text, starts_at: instant, ends_at: instant },
    example: { id: 'cmp_spring', name: 'Spring' },
  },
  {
    activated: { description: 'A campaign went live', example: { starts_at: at } },
    applied: {
      description: 'A campaign was applied to a purchase',
      optional: { customer_id: text, subscription_id: text, discount: amount, currency },
      example: { customer_id: 'cus_1234567890', subscription_id: 'sub_1234567890', discount: 1000, currency: 'EUR' },
    },
    expired: { description: 'A campaign reached its end', example: { ends_at: at } },
  },
);

/** The events of a business of subscriptions: subscription, payment, customer, campaign. */
export const subscriptionCommerce: Preset = {
  name: 'subscription-commerce',
  types: [...subscription, ...payment, ...customer, ...campaign],
};
