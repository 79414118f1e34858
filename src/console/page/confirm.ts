import { element } from './element.ts';

export interface Question {
  readonly title: string;
  readonly detail: string;
  /** What the button says that does it. */
  readonly yes: string;
}

/** Asks before something that cannot be taken back. The browser keeps focus inside, ends it with Escape, and gives focus back. */
export function confirm({ title, detail, yes }: Question): Promise<boolean> {
  const dialog = element(
    'dialog',
    { 'aria-labelledby': 'question', 'aria-describedby': 'question-detail' },
    element('h2', { id: 'question' }, title),
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

/** What was asked in a view is not to be answered in the next. */
export function withdrawQuestions(): void {
  for (const dialog of document.querySelectorAll('dialog')) dialog.close('no');
}
