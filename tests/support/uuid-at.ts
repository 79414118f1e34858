import { newUuid, uuidFloor } from '../../src/domain/ids.ts';

/** A new id of an event that came then, in ms since 1970. `newUuid` itself, which a service in this process shares, would take its clock to have been set back. */
export function uuidAt(ms: number): string {
  return uuidFloor(ms).slice(0, 14) + newUuid(Date.now()).slice(14);
}
