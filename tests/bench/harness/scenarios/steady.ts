import type { ClosedLoad } from '../load-protocol.ts';
import type { Play } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { type Figures, figuresBetween } from '../window.ts';

/** The load of the throughput scenarios: the backlog is bounded, so that what is accepted and what is delivered in a window are the same number. */
export const BATCHES: ClosedLoad = { batch: 100, postsAtOnce: 4, maxBacklog: 10_000 };

/** Figures of a window in the midst of a load that began before it and goes on after it. */
export async function playSteady(
  stage: Stage,
  load: ClosedLoad,
  play: Play,
  measureMs = play.measureMs,
): Promise<Figures> {
  stage.load.closed(load);
  const [before, after] = await stage.window(play.warmUpMs, measureMs);
  return figuresBetween(before, after);
}
