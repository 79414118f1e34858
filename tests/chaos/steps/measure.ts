import { lagsOf, quantile } from '../harness/lags.ts';
import type { Play } from '../harness/play.ts';
import type { LoadSpec } from '../harness/scenario.ts';

const SETTLE_MS = 500;

/**
 * Posts a load and measures the time from the post to the receipt at one endpoint. Other loads may go on meanwhile: their events are not
 * that endpoint's. @returns the 99th percentile in ms.
 */
export async function p99During(play: Play, load: LoadSpec, endpoint: number): Promise<number> {
  const from = play.history.count;
  const producer = play.startLoad(load);
  await producer!.done;
  // What was posted last is on its way still.
  await play.pause(SETTLE_MS);
  const to = play.history.count;
  const lags = await lagsOf(
    play,
    (record) => record.endpoint === endpoint && record.event >= from && record.event < to,
  );
  return quantile(lags, 0.99);
}
