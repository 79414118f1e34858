import type { GateNews } from '../delivery/gate.ts';
import type { EndpointNotice } from '../store/notices.ts';

const REASONS = {
  failures_in_a_row: 'Ten attempts in a row failed.',
  failure_rate: 'At least half of the attempts of the last minute failed.',
  probe_failed: 'The probe failed.',
  ramp_failed: 'Too many attempts failed while the endpoint was recovering.',
} as const;

/**
 * What the tenant is told of a gate's news; null for what is told when it takes effect. That an endpoint asks for a pause is not told where
 * it was a system event that it did not take: of two that ask each would be told of the other's pause, and ask again, without end.
 * @param isOfSystemEvent whether the delivery of a system event brought the news
 */
export function gateNotice(
  news: GateNews,
  { num, tenantNum }: { readonly num: number; readonly tenantNum: number },
  isOfSystemEvent: boolean,
): EndpointNotice | null {
  const endpoint = { tenantNum, endpointNum: num };
  switch (news.kind) {
    case 'breaker_opened':
      return {
        ...endpoint,
        kind: 'endpoint.breaker_opened',
        detail: { reason: REASONS[news.reason], until: new Date(news.untilMs).toISOString() },
      };
    case 'breaker_closed':
      return { ...endpoint, kind: 'endpoint.breaker_closed', detail: {} };
    case 'throttled':
      if (isOfSystemEvent) return null;
      return {
        ...endpoint,
        kind: 'endpoint.throttled',
        detail: { reason: 'The receiver asked for a pause.', until: new Date(news.untilMs).toISOString() },
      };
    case 'worn_out':
      return null;
  }
}
