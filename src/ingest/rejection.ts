import { type Fault, Refusal } from '../domain/errors.ts';
import type { ProblemCode } from '../domain/problem-codes.ts';
import type { Claimant } from './seal-event.ts';

/** A refusal of one event, before it is known whether it came alone or in a batch. */
export interface Rejection {
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly faults: readonly Fault[];
  /** The tenant (its number) whose event types refuse the event, and the version of these. */
  readonly rules?: readonly [number, bigint];
  /** What the event claims, if it may have been stored before what refuses it came up: then it is a duplicate. */
  readonly claimant?: Claimant;
}

export const UNKNOWN_TENANT: Rejection = {
  status: 404,
  code: 'tenant_not_found',
  detail: 'The tenant does not exist.',
  faults: [{ path: 'tenant_id', message: 'no such tenant' }],
};

export const CONFLICT: Rejection = {
  status: 409,
  code: 'idempotency_conflict',
  detail: 'The idempotency key or id belongs to an event with another body.',
  faults: [{ path: '', message: 'the idempotency key or id belongs to an event with another body' }],
};

/** It does not say "with another body": the body of the event that has the id is not compared. */
export const REUSED_ID: Rejection = {
  ...CONFLICT,
  detail: 'The id is one that Posthorn gave to another event.',
  faults: [{ path: 'id', message: 'is one that Posthorn gave to another event' }],
};

export const TOO_COSTLY: Rejection = {
  status: 422,
  code: 'too_costly_to_route',
  detail:
    'The event has so many values where filters of the tenant’s endpoints have so many conditions that it takes too long to match it with them. Nothing was stored: send fewer values, in several events for instance, or have fewer or simpler filters.',
  faults: [
    {
      path: '',
      message:
        'has so many values where filters of the tenant’s endpoints have so many conditions that it takes too long to match it: send fewer values, or have fewer or simpler filters',
    },
  ],
};

/**
 * @param size what was counted, in words
 * @param most bytes that an event may have as it would be delivered
 */
export function tooLarge(size: string, most: number): Rejection {
  const detail = `The event has ${size}; at most ${most} bytes are taken.`;
  return { status: 413, code: 'too_large', detail, faults: [{ path: '', message: detail }] };
}

/** @returns by tenant, the version of its event types that some of these events were checked by; the oldest one if there are several */
export function rulesOf(checked: Iterable<Pick<Rejection, 'rules'>>): ReadonlyMap<number, bigint> {
  const checkedBy = new Map<number, bigint>();
  for (const { rules } of checked) {
    if (rules === undefined) continue;
    const [tenantNum, version] = rules;
    const other = checkedBy.get(tenantNum);
    if (other === undefined || version < other) checkedBy.set(tenantNum, version);
  }
  return checkedBy;
}

export function invalid(detail: string, faults: readonly Fault[]): Rejection {
  return { status: 422, code: 'invalid_event', detail, faults };
}

/** @param rejections by the index of the event in its request */
export function refusalFor(rejections: ReadonlyMap<number, Rejection>, isBatch: boolean): Refusal {
  const [first] = rejections.values();
  if (!isBatch) return new Refusal(first!.status, first!.code, first!.detail, { faults: first!.faults });
  const detail = `Nothing was stored: ${rejections.size} of the events in the batch cannot be taken.`;
  return new Refusal(422, 'invalid_batch', detail, { faults: faultsOf(rejections) });
}

/**
 * Picks the faults for an answer: one of each event, however many events there are, and further ones as long as there is room. The faults
 * of one event stand together.
 */
function faultsOf(rejections: ReadonlyMap<number, Rejection>): readonly Fault[] {
  const all: Fault[] = [];
  let left = MAX_FAULTS - rejections.size;
  for (const [index, { faults, code }] of rejections) {
    const told = faults.slice(0, 1 + Math.max(0, left));
    left -= told.length - 1;
    for (const { path, message } of told)
      all.push({ path: path === '' ? `${index}` : `${index}.${path}`, message, code });
  }
  return all;
}

const MAX_FAULTS = 1_000;

export function emptyBatch(): Refusal {
  const faults = [{ path: '', message: 'expected at least one event' }];
  return new Refusal(422, 'empty_batch', 'The batch holds no event.', { faults });
}

export function tooManyEvents(most: number): Refusal {
  const detail = `The batch holds more than ${most} events: at most so many are taken in one request.`;
  return new Refusal(413, 'too_large', detail);
}
