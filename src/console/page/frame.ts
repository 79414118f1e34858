import { localTime, zoneOf } from '../logic/format.ts';
import { visibleText } from '../logic/visible-text.ts';
import { CallError } from './api.ts';
import { element, foreign } from './element.ts';
import { problemBox } from './problem-box.ts';
import type { View } from './view.ts';

/** What a view is shown in: heading, time of the reading, controls, and the part that changes by itself. */
export class Frame {
  readonly #live = element('div', {});
  readonly #read = element('span', { class: 'fine' });
  readonly #trouble = element('div', {});
  readonly #refusal = element('div', {});
  readonly #view: View;
  #shown: string | null = null;
  #isStale = false;
  #problem = '';
  #readAt = '';

  /** @param onRefresh when the reader asks for it */
  constructor(view: View, onRefresh: () => void) {
    this.#view = view;
    const refresh = element('button', { type: 'button', id: 'refresh' }, 'Refresh');
    refresh.addEventListener('click', onRefresh);
    const heading = element('h1', { tabindex: '-1' }, foreign(view.heading));
    const { trail, controls = [] } = view;
    const main = document.getElementById('main')!;
    main.replaceChildren(
      ...(trail.length === 0 ? [] : [element('nav', { class: 'trail', 'aria-label': 'Where you are' }, ...trail)]),
      element('div', { class: 'top' }, heading, element('div', { class: 'actions' }, this.#read, refresh)),
      this.#refusal,
      this.#trouble,
      ...controls,
      this.#live,
    );
    this.#live.replaceChildren(element('p', { class: 'empty' }, 'Loading …'));
    document.title = `${visibleText(view.heading)} – Posthorn`;
    heading.focus();
  }

  /** Leaves everything as it is when nothing has changed: selections, scroll positions and opened details stay. */
  show(data: unknown): void {
    this.#trouble.replaceChildren();
    this.#problem = '';
    const now = new Date();
    this.#readAt = `Read ${localTime(now.toISOString()).slice(11)} ${zoneOf(now)}`;
    this.#read.textContent = this.#readAt;
    const text = JSON.stringify(data);
    if (text === this.#shown && !this.#isStale) return;
    const keep = remember(this.#live);
    this.#live.replaceChildren(...this.#view.render(data).filter((child) => child !== null));
    keep(this.#live);
    // Of what is not there nothing can be asked for.
    if (this.#shown === null) this.#live.after(...(this.#view.footer ?? []));
    // Only now: what could not be shown is not taken for what is shown.
    this.#shown = text;
    this.#isStale = false;
  }

  /** That what is shown may be old: its successor takes long. */
  showReading(): void {
    this.#read.textContent = this.#readAt === '' ? 'Being read …' : `${this.#readAt}, being read again …`;
  }

  /** That there is something newer, which would put another row under the pointer. */
  showHeld(data: unknown): void {
    const isNewer = JSON.stringify(data) !== this.#shown;
    this.#read.textContent = isNewer ? `${this.#readAt}, newer once the pointer leaves the button` : this.#readAt;
  }

  /** Likewise: why it could not be read is said above the rows. */
  showHeldProblem(): void {
    this.#read.textContent = `${this.#readAt}, not read since: why is shown once the pointer leaves the button`;
  }

  /** Why something was not done: until something else is. */
  showRefusal(error: unknown): void {
    this.#refusal.replaceChildren(problemBox(error));
  }

  clearRefusal(): void {
    this.#refusal.replaceChildren();
  }

  /** Why it cannot be read: until it can. What was read before stays below. */
  showProblem(error: unknown): void {
    // The same one again is no news to those who hear it.
    const text = textOf(error);
    if (text !== this.#problem) this.#trouble.replaceChildren(problemBox(error));
    this.#problem = text;
    if (this.#shown === null) this.#live.replaceChildren();
  }

  /** After something was done the view is shown anew even where the data is the same. */
  forget(): void {
    this.#isStale = true;
  }
}

/** Without the id of the request, which is another one each time. */
function textOf(error: unknown): string {
  return error instanceof CallError ? JSON.stringify({ ...error.problem, request_id: undefined }) : String(error);
}

/** By what it is found again in what was rendered anew; null where it cannot be. */
function nameOf(part: Element): string | null {
  const label = part.getAttribute('aria-label');
  if (part.id !== '') return part.id;
  const href = part.getAttribute('href');
  // Rows repeat links: of the same endpoint, say.
  if (href !== null) return `${part.closest('tr')?.firstElementChild?.textContent ?? ''} ${href}`;
  return label === null ? null : `${part.closest('details')?.id ?? ''} ${label}`;
}

/** @returns what gives focus, opened details and texts that were asked for whole back to what was rendered anew */
function remember(old: HTMLElement): (fresh: HTMLElement) => void {
  const focused = document.activeElement;
  const within = focused !== null && old.contains(focused);
  const name = within ? nameOf(focused) : null;
  const whole = new Set([...old.querySelectorAll('pre[data-whole]')].map(nameOf));
  const open = new Set([...old.querySelectorAll('details[open]')].map((each) => each.id));
  return (fresh) => {
    for (const each of fresh.querySelectorAll('details')) if (open.has(each.id)) each.open = true;
    for (const each of fresh.querySelectorAll('pre')) {
      const button = each.nextElementSibling;
      if (whole.has(nameOf(each)) && button instanceof HTMLButtonElement) button.click();
    }
    if (!within) return;
    const again = [...fresh.querySelectorAll<HTMLElement>('a, button, summary, pre, input, select')].find(
      (each) => name !== null && nameOf(each) === name,
    );
    // Gone, as a dead letter that was redriven: not to the top of the document.
    (again ?? document.querySelector<HTMLElement>('h1'))?.focus({ preventScroll: true });
  };
}

/** Who is signed in, and the way out. */
export function banner(who: string | null, onSignOut: () => void): void {
  const place = document.getElementById('who')!;
  place.replaceChildren();
  if (who === null) return;
  const out = element('button', { type: 'button', id: 'sign-out' }, 'Sign out');
  out.addEventListener('click', onSignOut);
  place.append(foreign(who), ' ', out);
}

/** What came of what was asked for, or that it is under way. */
export function say(text: string, tone: 'done' | 'busy' | 'trouble' = 'done'): void {
  const place = document.getElementById('message')!;
  place.className = tone;
  place.textContent = text;
}
