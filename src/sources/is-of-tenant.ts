import { Refusal } from '../domain/errors.ts';

/** A tenant's limits: no fault of the infrastructure, and no reason to let the messages of others wait. */
export function isOfTenant(error: unknown): error is Refusal {
  return error instanceof Refusal && (error.status === 429 || error.status === 413);
}
