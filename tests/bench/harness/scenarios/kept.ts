import type { Scenario } from '../scenario.ts';
import { figuresBetween } from '../window.ts';
import { BATCHES } from './steady.ts';

const SLICES = 20;

/** Nobody subscribes: what is measured is how accepting depends on what is kept already. */
export const keptScenario: Scenario = {
  name: 'kept',
  title: 'ingest into an empty database and on to --events kept (20 million): the last twentieth beside the second',
  onlyByName: true,
  stage: { plan: { tenants: 100, groups: 1_000, fanOut: 0 }, roles: ['api'] },
  play: async (stage, { keptEvents }) => {
    const slices = [];
    for (let slice = 0; slice < SLICES; slice++) {
      const before = await stage.snapshot();
      await stage.load.postAll({ ...BATCHES, maxBacklog: 1, events: Math.ceil(keptEvents / SLICES) });
      slices.push(figuresBetween(before, await stage.snapshot(), 'event'));
    }
    // In the first one the process is still cold.
    const [first, last] = [slices[1]!, slices.at(-1)!];
    return {
      ...last,
      events_per_s_first: first.events_per_s ?? null,
      cpu_us_per_event_first: first.cpu_us_per_event ?? null,
      rate_of_first: last.events_per_s! / first.events_per_s!,
    };
  },
};
