/**
 * When a delivery is suspected of killing the workers that make it. Nothing is written for it while all is well: a lane whose owners
 * ended without giving it back is served carefully, and only there each delivery is noted before it is sent. What was noted when the
 * owner died gets a strike. A worker may die for any other reason (no memory, a deploy), so that suspicion must cost little: a delivery
 * that settles, or under which the worker lived on for a while, is cleared, and the last strike is only given to one that was alone.
 */

/** From so many crashes in a row a lane is served carefully. */
export const CAREFUL_FROM = 2;
/** With so many strikes a delivery is set aside. */
export const STRIKES_OUT = 3;
/** Deliveries of one lane that are tried at once. */
export const TRIALS_PER_LANE = 4;
/** An owner that has had a lane for this long has survived it, in ms, if nothing from before is still to be tried… */
export const SURVIVED_MS = 60_000;
/** …and in any case for this long. */
export const SURVIVED_ANYWAY_MS = 600_000;

/** A delivery that is about to be tried, or is being tried. */
export interface Suspect {
  readonly lane: number;
  readonly strikes: number;
}

/**
 * For how long a worker must live on under a delivery to clear it, in ms. It grows with the crashes, for a poison that works late: one that
 * kills when its receiver answers, say.
 */
export function trialMs(crashes: number): number {
  if (crashes < 6) return 3_000;
  return crashes < 8 ? 10_000 : 30_000;
}

/** Whether a crash during its trial would have a delivery set aside. */
export function isLastTrial({ strikes }: Suspect): boolean {
  return strikes >= STRIKES_OUT - 1;
}

/** Whether a delivery may be tried beside those that are. Of last trials a process holds one at a time: it must not be another's fault. */
export function mayTry(suspect: Suspect, running: Iterable<Suspect>): boolean {
  let ofLane = 0;
  for (const other of running) {
    if (isLastTrial(suspect) && isLastTrial(other)) return false;
    if (other.lane === suspect.lane) ofLane++;
  }
  return ofLane < TRIALS_PER_LANE;
}
