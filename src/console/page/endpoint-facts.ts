import type { Endpoint, EndpointStats } from '../logic/api-shapes.ts';
import { count, milliseconds, percent, span } from '../logic/format.ts';
import { breakerWord, endpointWord } from '../logic/words.ts';
import { type Child, element, foreign } from './element.ts';
import { facts, status, time } from './parts.ts';

/** How it is set. */
export function settingsOf(endpoint: Endpoint): HTMLElement {
  const { rate_limit, validation_status } = endpoint;
  return facts([
    ['URL', foreign(endpoint.url)],
    ['Status', status(endpointWord(endpoint))],
    ['Description', endpoint.description === '' ? null : foreign(endpoint.description)],
    ['Subscriptions', subscriptionsOf(endpoint)],
    ['Retries', `after ${endpoint.retry_schedule.map(span).join(', ')}`],
    ['Timeout', span(endpoint.timeout_seconds)],
    ['At once', `${endpoint.max_in_flight} requests`],
    ['Rate limit', rate_limit === null ? 'none' : `${rate_limit.per_second} a second, bursts of ${rate_limit.burst}`],
    ['Order', orderOf(endpoint)],
    ['Signature', endpoint.signature],
    ['Format', endpoint.format],
    ['Headers', headersOf(endpoint.headers)],
    ['Validation', validation_status === null ? null : foreign(validationText(validation_status))],
    ['Id', foreign(endpoint.id)],
    ['Created', time(endpoint.created_at)],
    ['Changed', time(endpoint.updated_at)],
  ]);
}

/** How it does. */
export function figuresOf(stats: EndpointStats): HTMLElement {
  const { breaker, backlog, latency_ms, dead_letters } = stats;
  return facts([
    ['Circuit', status(breakerWord(breaker.state))],
    ['Next probe', breaker.open_until === null ? null : time(breaker.open_until)],
    ['Failures in a row', count(breaker.failures_in_a_row)],
    ['Asked for a pause until', breaker.throttled_until === null ? null : time(breaker.throttled_until)],
    ['Failing since', breaker.failing_since === null ? null : time(breaker.failing_since)],
    ['Success', percent(stats.success_rate)],
    ['Delivered', count(stats.delivered)],
    ['Failed attempts', count(stats.failed_attempts)],
    [
      'Latency',
      latency_ms === null
        ? '–'
        : `median ${milliseconds(latency_ms.p50)}, 95 % ${milliseconds(latency_ms.p95)}, 99 % ${milliseconds(latency_ms.p99)}`,
    ],
    ['Pending', count(backlog.pending, backlog.capped)],
    ['Retrying', count(backlog.retrying, backlog.capped)],
    ['Dead letters', count(dead_letters.total, dead_letters.capped)],
  ]);
}

function subscriptionsOf({ subscriptions }: Endpoint): Child {
  if (subscriptions.length === 0) return 'every event but system events';
  const items = subscriptions.map(({ types, filter }) =>
    element(
      'li',
      {},
      foreign(types === undefined ? 'every type' : types.join(', ')),
      ' ',
      filter === undefined ? null : element('code', {}, foreign(JSON.stringify(filter))),
    ),
  );
  return element('ul', {}, ...items);
}

function headersOf(headers: Readonly<Record<string, string>>): Child {
  const entries = Object.entries(headers);
  if (entries.length === 0) return null;
  // Behind their names: they may be credentials, and others look at the screen.
  const items = entries.map(([name, value]) =>
    element(
      'li',
      {},
      element('details', { id: `header-${name}` }, element('summary', {}, foreign(name)), foreign(value)),
    ),
  );
  return element('ul', {}, ...items);
}

function orderOf({ order, on_dead_letter }: Endpoint): string {
  if (order === 'none') return 'none';
  return `by ${order}; behind a dead letter: ${on_dead_letter}`;
}

function validationText({ state, detail }: { state: string; detail: string | null }): string {
  return detail === null ? state : `${state}: ${detail}`;
}
