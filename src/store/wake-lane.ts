const WAKE = `UPDATE lanes SET wake_at = date_trunc('milliseconds', now()) WHERE lane = (SELECT lane FROM mailbox WHERE endpoint_num = $1 LIMIT 1)`;

/**
 * Has the lane of an endpoint looked at within about a second, though nobody hears the bell: what is parked for it may be sent now. To be
 * called after the commit of what changed, because the row of a lane is what every settle waits for. What fails is made up for: a lane
 * that has something parked is looked at every minute.
 */
export async function wakeLaneOf(
  execute: (text: string, endpointNum: number) => Promise<unknown>,
  endpointNum: number,
): Promise<void> {
  await execute(WAKE, endpointNum).catch(() => {});
}
