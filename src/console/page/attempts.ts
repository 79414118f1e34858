import type { Attempt } from '../logic/api-shapes.ts';
import { count, milliseconds } from '../logic/format.ts';
import { outcomeWord } from '../logic/words.ts';
import { type Child, element, foreign } from './element.ts';
import { block, facts, status, time } from './parts.ts';

/** What was tried for one delivery. @param open whether the newest is shown with its response */
export function attemptsList(deliveryId: string, attempts: readonly Attempt[]): Child {
  if (attempts.length === 0) return element('p', { class: 'empty' }, 'Nothing was tried yet.');
  return element('ol', { class: 'attempts' }, ...attempts.map((attempt) => attemptItem(deliveryId, attempt)));
}

function attemptItem(deliveryId: string, attempt: Attempt): HTMLElement {
  const { number, started_at, detail, is_late, timing, response, next_attempt_at } = attempt;
  return element(
    'li',
    {},
    element('h4', {}, `Attempt ${number}: `, status(outcomeWord(attempt))),
    facts([
      ['Started', time(started_at)],
      ['Took', timing === null ? null : timingText(timing)],
      ['Error', detail === null ? null : foreign(detail)],
      ['Came late', is_late ? 'after the delivery had ended otherwise: without effect' : null],
      ['Next attempt', next_attempt_at === null ? null : time(next_attempt_at)],
    ]),
    response === null ? null : responseDetails(`${deliveryId}-${number}`, response),
  );
}

function timingText({ dns_ms, connect_ms, first_byte_ms, total_ms }: NonNullable<Attempt['timing']>): string {
  const steps = [
    ['DNS', dns_ms],
    ['connection', connect_ms],
    ['first byte', first_byte_ms],
  ] as const;
  const known = steps.flatMap(([name, ms]) => (ms === null ? [] : [`${name} ${milliseconds(ms)}`]));
  return known.length === 0 ? milliseconds(total_ms) : `${milliseconds(total_ms)} (${known.join(', ')})`;
}

/** Written by a stranger, who may mean harm: text, and nothing but text. */
function responseDetails(id: string, { headers, body, body_encoding }: NonNullable<Attempt['response']>): HTMLElement {
  const encoding = body_encoding === 'base64' ? ', not UTF-8: shown as base64' : '';
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return element(
    'details',
    { id: `response-${id}` },
    element('summary', {}, `Response: ${count(lines.length)} headers, ${count(body.length)} characters${encoding}`),
    lines.length === 0 ? null : block('Headers of the response', lines.join('\n')),
    body === '' ? element('p', { class: 'empty' }, 'No body.') : block('Body of the response', body),
  );
}
