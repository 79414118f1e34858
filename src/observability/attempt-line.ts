import { outcomeWord, staysInMailbox } from '../domain/outcome.ts';
import type { AttemptIds, FinishedAttempt } from './facts.ts';

/** The members of the line `attempt.finished`, as `InfoWriter` takes them. Ids, kinds and reasons hold nothing that JSON would escape. */
export function attemptMembers(
  { attempt, outcome, decision }: FinishedAttempt,
  { deliveryId, endpointId, tenantId }: AttemptIds,
): string {
  const reason = outcome.kind === 'skipped' ? `,"reason":"${outcome.reason}"` : '';
  const status = 'response' in outcome ? `,"status":${outcome.response.status}` : '';
  const time = 'timing' in outcome ? `,"total_ms":${Math.round(outcome.timing.totalMs)}` : '';
  const retry = staysInMailbox(decision) ? `,"retry_in_ms":${Math.round(decision.delayMs)}` : '';
  return (
    `"delivery_id":"${deliveryId}","endpoint_id":"${endpointId}",` +
    `"tenant_id":"${tenantId}","attempt":${attempt},"outcome":"${outcomeWord(outcome)}"${reason}${status}${time},"decision":"${decision.kind}"${retry}`
  );
}
