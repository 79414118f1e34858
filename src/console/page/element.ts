import type { Hash } from '../logic/place.ts';
import { visibleText } from '../logic/visible-text.ts';

export type Child = Node | string | null;

/** What an element may be given. No `innerHTML`, no `style`, no `src`: whatever comes from the API can only become text. */
interface Attributes {
  readonly class?: string;
  readonly id?: string;
  /** Within the console alone. */
  readonly href?: Hash;
  readonly title?: string;
  readonly type?: string;
  readonly name?: string;
  readonly value?: string;
  readonly for?: string;
  readonly scope?: 'col' | 'row';
  readonly datetime?: string;
  readonly role?: string;
  readonly tabindex?: string;
  readonly autocomplete?: string;
  readonly step?: string;
  readonly max?: string;
  readonly maxlength?: string;
  readonly rows?: string;
  readonly required?: '';
  readonly selected?: '';
  readonly open?: '';
  readonly method?: 'dialog';
  readonly 'aria-label'?: string;
  readonly 'aria-current'?: 'page';
  readonly 'aria-labelledby'?: string;
  readonly 'aria-describedby'?: string;
}

/** An element with text and elements in it, null for none. Text goes in as text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Text of strangers: it cannot turn the direction of what stands around it, and hides no character. */
export function foreign(text: string): HTMLElement {
  return element('bdi', {}, visibleText(text));
}

export function button(text: string, id: string, onClick: () => void, kind = ''): HTMLButtonElement {
  const made = element('button', { type: 'button', id, ...(kind === '' ? {} : { class: kind }) }, text);
  // The second click of a double one is no second wish, and what it meets may be another row's.
  made.addEventListener('click', ({ detail }) => detail > 1 || onClick());
  return made;
}
