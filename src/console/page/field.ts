import { element } from './element.ts';

export function field(label: string, name: string, attributes: Parameters<typeof element>[1] = {}): HTMLElement {
  const id = `field-${name}`;
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    element('input', { id, name, autocomplete: 'off', ...attributes }),
  );
}

/** For text over lines. */
export function area(label: string, name: string): HTMLElement {
  const id = `field-${name}`;
  const text = element('textarea', { id, name, rows: '3', autocomplete: 'off' });
  return element('div', { class: 'field wide' }, element('label', { for: id }, label), text);
}

export function choice(label: string, name: string, options: readonly (readonly [string, string])[], chosen = '') {
  const id = `field-${name}`;
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    element(
      'select',
      { id, name },
      ...options.map(([value, text]) =>
        element('option', { value, ...(value === chosen ? { selected: '' as const } : {}) }, text),
      ),
    ),
  );
}

/** @param onSubmit gets what each field holds, without spaces at the ends */
export function form(
  label: string,
  submit: string,
  fields: readonly HTMLElement[],
  onSubmit: (values: Readonly<Record<string, string>>) => void,
): HTMLFormElement {
  const made = element(
    'form',
    { 'aria-label': label, class: 'fields' },
    ...fields,
    element('div', { class: 'field' }, submitButton(submit)),
  );
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    const entries = [...new FormData(made)].map(([name, value]) => [name, String(value).trim()]);
    onSubmit(Object.fromEntries(entries));
  });
  return made;
}

/** The second click of a double one is no second wish. */
function submitButton(text: string): HTMLButtonElement {
  const made = element('button', { type: 'submit', class: 'primary' }, text);
  made.addEventListener('click', (event) => event.detail > 1 && event.preventDefault());
  return made;
}
