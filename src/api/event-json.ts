import { z } from 'zod';
import { uuidTime } from '../domain/ids.ts';
import type { StoredEvent } from '../store/event-reads.ts';

export const eventSchema = z
  .object({
    id: z.string(),
    type: z.string(),
    version: z.string(),
    timestamp: z.string(),
    tenant_id: z.string(),
    correlation_id: z.string().optional(),
    subject: z.string().optional(),
    data: z.unknown().describe('As the producer sent it; null after its payload was expunged.'),
    metadata: z.record(z.string(), z.unknown()).optional(),
    accepted_at: z.iso.datetime(),
    expunged_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Event' });

/** The event as it is delivered, byte for byte, with our two times at its end. */
export function eventJson({ uuid, body, expungedAt }: StoredEvent): Buffer {
  const times = { accepted_at: new Date(uuidTime(uuid)).toISOString(), expunged_at: expungedAt?.toISOString() ?? null };
  return Buffer.concat([body.subarray(0, -1), Buffer.from(`,${JSON.stringify(times).slice(1)}`)]);
}

/** A page of events, spliced from their stored bytes. */
export function eventPageJson(events: readonly StoredEvent[], next: string | null): Buffer {
  const separated = events.flatMap((event, i) => (i === 0 ? [eventJson(event)] : [COMMA, eventJson(event)]));
  return Buffer.concat([Buffer.from('{"data":['), ...separated, Buffer.from(`],"next":${JSON.stringify(next)}}`)]);
}

const COMMA = Buffer.from(',');
