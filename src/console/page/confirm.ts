import { element } from './element.ts';

/** Asks before something that cannot be taken back. The browser keeps focus inside, ends it with Escape, and gives focus back. */
export function confirm(question: string, detail: string, yes: string): Promise<boolean> {
  const dialog = element(
    'dialog',
    { 'aria-labelledby': 'question', 'aria-describedby': 'question-detail' },
    element('h2', { id: 'question' }, question),
    element('p', { id: 'question-detail' }, detail),
    element(
      'form',
      { method: 'dialog', class: 'actions' },
      element('button', { value: 'no' }, 'Keep as it is'),
      element('button', { value: 'yes', class: 'primary' }, yes),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
