const WAKE = `UPDATE lanes SET wake_at = date_trunc('milliseconds', now()) WHERE lane = (SELECT lane FROM mailbox WHERE endpoint_num = $1 LIMIT 1)`;

/**
 * Has the lane of an endpoint looked at within about a second, also if nobody hears the ring: its parked rows may be sent now. Call it after
 * the commit of what changed: every settle waits for the row of its lane. A failure only costs time, because a lane
 * with parked rows is looked at every minute.
 */
export async function wakeLaneOf(
  execute: (text: string, endpointNum: number) => Promise<unknown>,
  endpointNum: number,
): Promise<void> {
  await execute(WAKE, endpointNum).catch(() => {});
}
