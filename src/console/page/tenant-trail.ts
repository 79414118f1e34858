import { hashOf } from '../logic/place.ts';
import { element } from './element.ts';
import { link } from './parts.ts';
import type { Session } from './session.ts';

/** To all tenants, for those who may see them. */
export function tenantsTrail(session: Session): readonly HTMLElement[] {
  return session.tenant === null ? [link(hashOf(['tenants']), 'Tenants')] : [];
}

/** From all tenants to one, and on to what of it a view belongs to. */
export function tenantTrail(session: Session, tenant: string, ...more: readonly HTMLElement[]): readonly HTMLElement[] {
  return [...tenantsTrail(session), link(hashOf(['tenants', tenant, 'endpoints']), tenant), ...more];
}

const TABS = [
  ['endpoints', 'Endpoints'],
  ['events', 'Events'],
  ['deliveries', 'Deliveries'],
  ['dead-letters', 'Dead letters'],
  ['replays', 'Replays'],
  ['event-types', 'Event types'],
  ['audit', 'Audit log'],
  ['keys', 'Keys'],
] as const;
/** What only operators may see. */
const OPERATORS = 'keys';

export function tenantTabs(session: Session, tenant: string, current: (typeof TABS)[number][0]): HTMLElement {
  const shown = TABS.filter(([part]) => session.tenant === null || part !== OPERATORS);
  const links = shown.map(([part, text]) => link(hashOf(['tenants', tenant, part]), text, part === current));
  return element('nav', { class: 'tabs', 'aria-label': 'Parts of the tenant' }, ...links);
}
