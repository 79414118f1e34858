import { deliveryIdOf } from '../domain/ids.ts';
import type { FinishedAttempt } from './facts.ts';

/** The members of the line `attempt.finished`, as `InfoWriter` takes them. Ids, kinds and reasons hold nothing that JSON would escape. */
export function attemptMembers(finished: FinishedAttempt): string {
  const { eventUuid, endpointNum, endpointId, tenantId, attempt, outcome, decision } = finished;
  const reason = 'reason' in outcome ? `,"reason":"${outcome.reason}"` : '';
  const status = 'response' in outcome ? `,"status":${outcome.response.status}` : '';
  const time = 'timing' in outcome ? `,"total_ms":${Math.round(outcome.timing.totalMs)}` : '';
  const retry = 'delayMs' in decision ? `,"retry_in_ms":${Math.round(decision.delayMs)}` : '';
  return (
    `"event":"attempt.finished","delivery_id":"${deliveryIdOf(eventUuid, endpointNum)}","endpoint_id":"${endpointId}",` +
    `"tenant_id":"${tenantId}","attempt":${attempt},"outcome":"${outcome.kind}"${reason}${status}${time},"decision":"${decision.kind}"${retry}`
  );
}
