import { Refusal } from '../domain/errors.ts';

/** The refusal of a call whose tenant does not exist, or was deleted while the call was made. */
export function tenantNotFound(): Refusal {
  return new Refusal(404, 'tenant_not_found', 'The tenant does not exist.');
}
