import type { LoadCounts } from './load-protocol.ts';
import type { Plan } from './plan.ts';
import type { SinkCounts } from './sink-protocol.ts';

export interface Outcome {
  readonly plan: Plan;
  readonly load: LoadCounts;
  readonly sink: SinkCounts;
  /** Deliveries that the database still holds as to be made. */
  readonly left: number;
}

/** What is wrong when not everything that was accepted was delivered exactly once; nothing when all is well. */
export function checkDeliveries({ plan, load, sink, left }: Outcome): readonly string[] {
  const expected = load.accepted * plan.fanOut;
  const missing = expected - sink.delivered;
  const counted = {
    duplicates: sink.duplicates,
    'requests for nobody': sink.strangers,
    'wrong signatures': sink.forged,
  };
  return [
    ...load.refused.map((answer) => `a post was refused: ${answer}`),
    ...(missing > 0 ? [`${missing} of ${expected} deliveries never came`] : []),
    ...(missing < 0 ? [`${-missing} deliveries of events that were not accepted`] : []),
    ...Object.entries(counted).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : [])),
    ...(left > 0 ? [`${left} deliveries are still to be made in the database`] : []),
    ...(expected > 0 && sink.requests > 10_000 && sink.verified === 0 ? ['no signature was looked at'] : []),
  ];
}
