import { z } from 'zod';
import { DEAD_LETTER_REASONS } from '../store/dead-letter-reason.ts';
import { REPLAY_STATES, REPLAYED_STATUSES, type Replay } from '../store/replays.ts';

const echoed = z.object({
  endpoint_id: z.string().optional(),
  status: z.enum(REPLAYED_STATUSES).optional(),
  types: z.array(z.string()).optional(),
  event_ids: z.array(z.string()).optional(),
  delivery_ids: z.array(z.string()).optional(),
  reason: z.enum(DEAD_LETTER_REASONS).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});

export const replaySchema = z
  .object({
    id: z.string(),
    state: z.enum(REPLAY_STATES),
    matched: z.int().describe('Deliveries that were found and queued so far.'),
    done: z
      .int()
      .describe(
        'Of these, those that wait no longer for the replay: that had their attempt, or were retried, cancelled or expunged meanwhile, or set aside. Not those that were withdrawn when the replay was cancelled, and not those whose day was dropped before they were sent: at its end it is so much less than `matched`.',
      ),
    skipped: z
      .int()
      .describe(
        'Deliveries that were left out so far because their endpoint was disabled: enable it, and replay them again. They are not among `matched`. At most 2,147,483,647 are counted.',
      ),
    request: echoed.describe('What was asked for.'),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Replay' });

export function replayJson(replay: Replay): z.infer<typeof replaySchema> {
  const { id, state, matched, skipped, queued, waiting, request, createdAt, finishedAt } = replay;
  return {
    id,
    state,
    matched,
    done: Math.max(0, queued - waiting),
    skipped,
    request: request as z.infer<typeof echoed>,
    created_at: createdAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
  };
}
