import { lagsOf, quantile } from '../harness/lags.ts';
import type { Play } from '../harness/play.ts';
import type { LoadSpec } from '../harness/scenario.ts';

const SETTLE_MS = 500;

/** 99th percentiles in ms, both from when the post was due: until it is acknowledged, and until the receiver has it. */
export interface Measured {
  readonly postMs: number;
  readonly receiptMs: number;
}

/** Posts a load of so many events and measures at one endpoint. Other loads may go on meanwhile: their events are not that endpoint's. */
export async function measure(play: Play, load: LoadSpec, endpoint: number): Promise<Measured> {
  const from = play.history.count;
  const producer = play.startLoad(load)!;
  await producer.done;
  // What was posted last is on its way still.
  await play.pause(SETTLE_MS);
  const to = play.history.count;
  const lags = await lagsOf(
    play,
    (record) => record.endpoint === endpoint && record.event >= from && record.event < to,
  );
  const posts = [...producer.tookMs].sort((a, b) => a - b);
  return { postMs: Math.round(quantile(posts, 0.99)), receiptMs: quantile(lags, 0.99) };
}

/** The median of several such measurements one after the other, so that a busy moment of the machine decides nothing. */
export async function medianOf(times: number, play: Play, load: LoadSpec, endpoint: number): Promise<Measured> {
  const all: Measured[] = [];
  for (let i = 0; i < times; i++) all.push(await measure(play, load, endpoint));
  const median = (of: (measured: Measured) => number) =>
    quantile(
      all.map(of).sort((a, b) => a - b),
      0.5,
    );
  return { postMs: median(({ postMs }) => postMs), receiptMs: median(({ receiptMs }) => receiptMs) };
}

export function measuredText({ postMs, receiptMs }: Measured): string {
  if (Number.isNaN(receiptMs)) return `nothing received in time (p99 ${postMs} ms to the acknowledgement)`;
  return `p99 ${receiptMs} ms from the post to the receipt (${postMs} ms to the acknowledgement)`;
}
