import { z } from 'zod';
import type { SourceStateRow } from '../store/source-states.ts';
import type { SourceRecord } from '../store/sources.ts';

const lagSchema = z.object({
  part: z.string().describe('A partition (`topic/partition`) or a queue.'),
  messages: z.number().int().nullable().describe('Messages that wait there; null: not known.'),
});

const consumerSchema = z
  .object({
    process: z.string(),
    state: z
      .enum(['starting', 'running', 'paused', 'waiting', 'failing'])
      .describe(
        '`waiting`: messages cannot be stored now; `failing`: the broker cannot be used, or a batch of one partition not be taken.',
      ),
    error: z.string().nullable().describe('What is wrong, while something is.'),
    lag: z.array(lagSchema).describe('Of the partitions or queues that this process consumes.'),
    events: z.number().int().describe('Messages that became events since the process began with the source.'),
    duplicates: z.number().int(),
    rejected: z.number().int(),
    seen_at: z.iso.datetime(),
  })
  .meta({ id: 'SourceConsumer' });

export const sourceSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.enum(['kafka', 'rabbitmq']),
    origin: z.enum(['api', 'file']).describe('`file`: written in SOURCES_FILE, and changed there.'),
    paused: z.boolean(),
    lag: z.number().int().nullable().describe('Messages that wait, all together; null: nobody knows.'),
    consumers: z.array(consumerSchema).describe('Processes that consume it now.'),
    config: z.record(z.string(), z.unknown()).describe('As it was described, without its secrets.'),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Source' });

type ConsumerJson = z.infer<typeof consumerSchema>;

/** A source, with what the processes that read it reported lately. */
export function sourceJson(source: SourceRecord, states: readonly SourceStateRow[]): z.infer<typeof sourceSchema> {
  const { num, id, name, type, origin, paused, config, createdAt, updatedAt } = source;
  const consumers = states.filter(({ sourceNum }) => sourceNum === num).map(consumerJson);
  return {
    id,
    name,
    type: type as 'kafka' | 'rabbitmq',
    origin,
    paused,
    lag: totalOf(consumers),
    consumers,
    config: { ...config },
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}

function consumerJson({ process, state, seenAt }: SourceStateRow): ConsumerJson {
  const { kind, ...rest } = state as Omit<ConsumerJson, 'process' | 'state' | 'seen_at'> & {
    kind: ConsumerJson['state'];
  };
  return { process, state: kind, ...rest, seen_at: seenAt.toISOString() };
}

/** The messages that wait, of each part once: several processes that share a queue each report all that waits in it. */
function totalOf(consumers: readonly ConsumerJson[]): number | null {
  const byPart = new Map<string, number>();
  for (const { part, messages } of consumers.flatMap(({ lag }) => lag))
    if (messages !== null) byPart.set(part, Math.max(messages, byPart.get(part) ?? 0));
  return byPart.size === 0 ? null : [...byPart.values()].reduce((sum, messages) => sum + messages, 0);
}
