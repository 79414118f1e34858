import { hashOf } from '../logic/place.ts';
import { element } from './element.ts';
import { link } from './parts.ts';

const TABS = [
  ['tenants', 'Tenants'],
  ['sources', 'Sources'],
  ['set-aside', 'Set aside'],
] as const;

/** What is of no tenant, and between which operators go. */
export function operatorTabs(current: (typeof TABS)[number][0]): HTMLElement {
  const links = TABS.map(([part, text]) => link(hashOf([part]), text, part === current));
  return element('nav', { class: 'tabs', 'aria-label': 'Parts of the installation' }, ...links);
}
