import { z } from 'zod';
import type { SavedGate } from '../delivery/gate.ts';
import { viewGate } from '../delivery/gate-view.ts';

export const breakerSchema = z
  .object({
    state: z
      .enum(['closed', 'open', 'half_open', 'ramping'])
      .describe(
        '`open`: nothing is sent. `half_open`: one probe. `ramping`: few at once, then more, up to `max_in_flight`.',
      ),
    open_until: z.iso.datetime().nullable().describe('When the next probe goes; null unless open.'),
    failures_in_a_row: z.int().describe('While closed or ramping: ten open it, and 0 again from then on.'),
    throttled_until: z.iso
      .datetime()
      .nullable()
      .describe('Until when the receiver asked for a pause by `Retry-After`.'),
    failing_since: z.iso
      .datetime()
      .nullable()
      .describe(
        'Since when nothing but failures came, moved on by what was more than 30 hours between two of them: then it was not being tried. Five days disable the endpoint.',
      ),
  })
  .meta({ id: 'Breaker' });

/** @param gate as it was saved by the owner of the endpoint's lane */
export function breakerJson(gate: unknown, nowMs: number): z.infer<typeof breakerSchema> {
  const view = viewGate(gate as SavedGate | null, nowMs);
  return {
    state: view.phase === 'ramp' ? 'ramping' : view.phase,
    open_until: toTime(view.openUntilMs),
    failures_in_a_row: view.failuresInARow,
    throttled_until: toTime(view.throttledUntilMs),
    failing_since: toTime(view.failingSinceMs),
  };
}

function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
