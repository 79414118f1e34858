import type { Decision } from '../domain/outcome.ts';
import { isSystemEvent } from './is-system-event.ts';

/** The step of the fourth attempt of a schedule. */
const FOURTH = 3;

/**
 * What a tenant is told of an attempt: that its delivery is failing (from the fourth failure of its schedule on, until it was told once),
 * or that it was dead-lettered. Of deliveries of system events nothing is told, or telling would bring forth telling without end.
 * @param step index in the schedule of the attempt just made
 * @param body the event as stored
 */
export function noticeOf(
  { kind }: Decision,
  step: number,
  body: Uint8Array,
): 'delivery.failing' | 'delivery.dead_lettered' | null {
  const isFailing = kind === 'retry' && step >= FOURTH;
  const isDead = kind === 'dead_letter' || kind === 'disable';
  if ((!isFailing && !isDead) || isSystemEvent(body)) return null;
  return isFailing ? 'delivery.failing' : 'delivery.dead_lettered';
}
