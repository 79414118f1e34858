import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import type { Clause } from '../../routing/condition.ts';
import { parseExactly } from '../../routing/exact-number.ts';
import { TooManySteps } from '../../routing/explain-cost.ts';
import { explainMatch, type Failure } from '../../routing/explain-match.ts';
import { subscriptionClauses } from '../../routing/subscription-clauses.ts';
import { filterInput, refuseChangedNumbers, typePatterns } from '../filter-input.ts';
import { MAX_BODY_BYTES } from '../json-body.ts';
import { defineRoute } from '../route.ts';

/** To parse so many takes about as long as a step. */
const CHARACTERS_A_STEP = 8;

const failure = z.object({
  path: z.string().describe('The field, names joined by dots.'),
  expected: z.string(),
  found: z.array(z.string()).describe('What the event has there, as JSON; five values at most.'),
});

export const testFilter = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/filters/test',
  access: 'endpoints:read',
  isCharged: true,
  summary: 'Tell whether a subscription would match an event, and if not, which fields failed',
  params: z.strictObject({}),
  query: z.strictObject({}),
  body: z.strictObject({
    filter: filterInput.optional(),
    types: typePatterns.optional(),
    event: z
      .record(z.string(), z.unknown())
      .describe(
        'The whole event, as `GET …/events/{event_id}` has it of one that was accepted, without `accepted_at` and `expunged_at`: `id`, `type`, `version`, `timestamp`, `tenant_id`, `correlation_id`, `subject`, `data`, `metadata`. A filter on a field that is left out does not match.',
      ),
  }),
  // Of any event that is taken it can be told.
  largestBody: ({ MAX_EVENT_BYTES }) => MAX_EVENT_BYTES + MAX_BODY_BYTES,
  responses: {
    200: {
      description:
        'The answer. Of the alternatives of `$or`, the fields that failed are those of the one that lacks least.',
      schema: z.object({ matched: z.boolean(), failed: z.array(failure) }),
    },
  },
  handle: async ({ body: { filter, types }, bodyText, tenant }, { trials }) => {
    const pay = (steps: number) => trials.pay(tenant.num, steps);
    pay(bodyText.length / CHARACTERS_A_STEP);
    refuseChangedNumbers(bodyText);
    const { event } = parseExactly(bodyText) as { event: unknown };
    const failed = explain(subscriptionClauses({ filter, types }), event, pay);
    return { status: 200, body: { matched: failed.length === 0, failed } };
  },
});

/** @throws Refusal 422, 429 */
function explain(clauses: readonly Clause[], event: unknown, pay: (steps: number) => void): readonly Failure[] {
  try {
    return explainMatch(clauses, event, pay);
  } catch (error) {
    if (!(error instanceof TooManySteps)) throw error;
    throw new Refusal(422, 'invalid', 'The body is not valid.', {
      faults: [{ path: 'event', message: error.message }],
    });
  }
}
