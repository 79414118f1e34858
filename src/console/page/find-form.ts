import { hashOf } from '../logic/place.ts';
import { placeOfId } from '../logic/place-of-id.ts';
import { field, form } from './field.ts';
import type { Opening } from './view.ts';

/** To one object of a tenant, by the id that a receiver, a log line or a producer has of it. */
export function findInTenant({ go }: Opening, tenant: string): HTMLElement {
  const label = 'Id of an event, delivery, endpoint or replay';
  return form('Find by id', 'Find', [field(label, 'id', { required: '' })], ({ id = '' }) => go(placeOfId(tenant, id)));
}

/** To one tenant among very many. */
export function findTenant({ go }: Opening): HTMLElement {
  const find = ({ tenant = '' }: Readonly<Record<string, string>>) => go(hashOf(['tenants', tenant, 'endpoints']));
  return form('Find a tenant', 'Find', [field('Id of a tenant', 'tenant', { required: '' })], find);
}
