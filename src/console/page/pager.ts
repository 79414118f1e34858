import { hashOf, type Place } from '../logic/place.ts';
import { element } from './element.ts';
import { link } from './parts.ts';

/** What is said of a list without entries: one page of it says nothing of those behind. */
export function noneOrOlder(none: string, next: string | null): string {
  return next === null ? none : 'None on this page; there may be older ones.';
}

/** Links to older entries, and back to the newest. Cursors are in the address, so that Back works. */
export function pager({ path, query }: Place, next: string | null): HTMLElement | null {
  const { cursor, ...others } = query;
  if (next === null && cursor === undefined) return null;
  return element(
    'nav',
    { class: 'pager', 'aria-label': 'Pages' },
    cursor === undefined ? null : link(hashOf(path, others), 'Newest'),
    next === null ? null : link(hashOf(path, { ...others, cursor: next }), 'Older'),
  );
}
