import { Refusal } from '../domain/errors.ts';

/** Also where it is deleted while a call is made. */
export function tenantNotFound(): Refusal {
  return new Refusal(404, 'tenant_not_found', 'The tenant does not exist.');
}
