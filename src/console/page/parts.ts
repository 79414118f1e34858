import { localTime } from '../logic/format.ts';
import type { Hash } from '../logic/place.ts';
import { visibleJson, visibleText } from '../logic/visible-text.ts';
import type { Word } from '../logic/words.ts';
import { type Child, element, foreign } from './element.ts';

/** Characters of a text that are shown at first: a megabyte in one element makes browsers slow. */
const FIRST_CHARACTERS = 50_000;

export function time(iso: string | null): Child {
  return iso === null ? '–' : element('time', { datetime: iso, title: iso }, localTime(iso));
}

export function status({ text, tone }: Word): HTMLElement {
  return element('span', { class: `status ${tone}` }, foreign(text));
}

export function link(hash: Hash, text: string, isCurrent = false): HTMLElement {
  const current = isCurrent ? ({ 'aria-current': 'page' } as const) : {};
  return element('a', { href: hash, ...current }, foreign(text));
}

/** Names and values. Those whose value is null are left out. */
export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  const shown = pairs.filter(([, value]) => value !== null);
  return element(
    'dl',
    {},
    ...shown.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}

/**
 * The first cell of a row names it. On narrow screens each cell is shown with its column's name; laid out so, it would be no table to
 * screen readers but for the roles.
 */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly Child[])[],
  empty: string,
): HTMLElement {
  if (rows.length === 0) return element('p', { class: 'empty' }, empty);
  const heads = columns.map((name) => element('th', { scope: 'col', role: 'columnheader' }, name));
  return element(
    'table',
    { role: 'table' },
    element('caption', { class: 'unseen' }, caption),
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...heads)),
    element('tbody', { role: 'rowgroup' }, ...rows.map((row) => rowOf(columns, row))),
  );
}

function rowOf(columns: readonly string[], row: readonly Child[]): HTMLElement {
  const cells = row.map((cell, index) => {
    const made =
      index === 0
        ? element('th', { scope: 'row', role: 'rowheader' }, element('div', {}, cell))
        : element('td', { role: 'cell' }, element('div', {}, cell));
    made.dataset.column = columns[index] ?? '';
    return made;
  });
  return element('tr', { role: 'row' }, ...cells);
}

/** What strangers wrote, over lines. It can be scrolled with the keyboard. What is long is cut, unless the reader asked for all of it (`data-whole`). */
export function block(label: string, text: string, write = visibleText): HTMLElement {
  const shown = write(text.slice(0, FIRST_CHARACTERS));
  const pre = element('pre', { tabindex: '0', role: 'region', 'aria-label': label }, shown);
  if (text.length <= FIRST_CHARACTERS) return pre;
  const all = element('button', { type: 'button' }, `Show all ${text.length.toLocaleString('en')} characters`);
  all.addEventListener('click', () => {
    const hadFocus = document.activeElement === all;
    pre.textContent = write(text);
    pre.dataset.whole = '';
    all.remove();
    if (hadFocus) pre.focus();
  });
  return element('div', {}, pre, all);
}

/** JSON, which stays JSON when it is copied. */
export function jsonBlock(label: string, text: string): HTMLElement {
  return block(label, text, visibleJson);
}

export function section(title: string, ...children: readonly Child[]): HTMLElement {
  return element('section', { 'aria-label': title }, element('h2', {}, title), ...children);
}

export function actions(...buttons: readonly (HTMLButtonElement | null)[]): HTMLElement {
  return element('div', { class: 'actions' }, ...buttons);
}
