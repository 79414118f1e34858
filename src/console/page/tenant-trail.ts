import { hashOf } from '../logic/place.ts';
import { element } from './element.ts';
import { link } from './parts.ts';
import type { Session } from './session.ts';

/** From all tenants, for those who may see them, to one. */
export function tenantTrail(session: Session, tenant: string, ...more: readonly HTMLElement[]): readonly HTMLElement[] {
  const all = session.tenant === null ? [link(hashOf(['tenants']), 'Tenants')] : [];
  return [...all, link(hashOf(['tenants', tenant, 'endpoints']), tenant), ...more];
}

const TABS = [
  ['endpoints', 'Endpoints'],
  ['events', 'Events'],
  ['dead-letters', 'Dead letters'],
  ['replays', 'Replays'],
] as const;

export function tenantTabs(tenant: string, current: (typeof TABS)[number][0]): HTMLElement {
  const links = TABS.map(([part, text]) => link(hashOf(['tenants', tenant, part]), text, part === current));
  return element('nav', { class: 'tabs', 'aria-label': 'Parts of the tenant' }, ...links);
}
