import { uuidFloor } from '../domain/ids.ts';
import type { Partition } from './partitions.ts';

const DAY_MS = 86_400_000;

/** Events from one UUID on and before another. */
export interface DayRange {
  readonly from: string;
  readonly to: string;
}

/** Of which events attempts can be written, by the partitions that there are, oldest first: days that follow one another are one range. */
export function writableDays(partitions: readonly Partition[]): readonly DayRange[] {
  const ranges: { fromMs: number; toMs: number }[] = [];
  for (const { parent, state, dayMs } of partitions) {
    if (parent !== 'attempts' || state !== 'attached') continue;
    const last = ranges.at(-1);
    if (last?.toMs === dayMs) last.toMs += DAY_MS;
    else ranges.push({ fromMs: dayMs, toMs: dayMs + DAY_MS });
  }
  return ranges.map(({ fromMs, toMs }) => ({ from: uuidFloor(fromMs), to: uuidFloor(toMs) }));
}
