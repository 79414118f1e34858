import { adviceOf } from '../logic/advice.ts';
import { CallError } from './api.ts';
import { element, foreign } from './element.ts';

/** Why something could not be read or done, and what the reader can do about it. */
export function problemBox(error: unknown): HTMLElement {
  if (!(error instanceof CallError)) {
    return element('div', { class: 'problem', role: 'alert' }, element('p', {}, foreign(messageOf(error))));
  }
  const { title, detail, status, code, errors, request_id } = error.problem;
  const advice = adviceOf(status, code);
  return element(
    'div',
    { class: 'problem', role: 'alert' },
    element('p', {}, element('strong', {}, foreign(title)), ' ', foreign(detail)),
    errors.length === 0
      ? null
      : element('ul', {}, ...errors.map(({ path, message }) => element('li', {}, foreign(`${path}: ${message}`)))),
    advice === '' ? null : element('p', {}, advice),
    request_id === undefined ? null : element('p', { class: 'fine' }, 'Request id: ', foreign(request_id)),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
