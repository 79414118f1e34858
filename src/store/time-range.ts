import { uuidFloor } from '../domain/ids.ts';

/** Times of acceptance, in ms since 1970: from `sinceMs` on, before `untilMs`. */
export interface TimeRange {
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** Above every UUIDv7 until the year 10889. */
export const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The range as UUIDs: `from` is in it, `to` is not. */
export function uuidRange({ sinceMs, untilMs }: TimeRange): { readonly from: string; readonly to: string } {
  return { from: uuidFloor(sinceMs ?? 0), to: untilMs === undefined ? LAST_UUID : uuidFloor(untilMs) };
}
