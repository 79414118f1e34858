import type { Transaction } from './prisma.ts';

/**
 * Has the lane of an endpoint looked at within about a second, though nobody hears the bell: what is parked for it may be sent now. To be
 * called after the commit of what changed, because the row of a lane is what every settle waits for. What fails is made up for: a lane
 * that has something parked is looked at every minute.
 */
export async function wakeLaneOf(prisma: Pick<Transaction, '$executeRaw'>, endpointNum: number): Promise<void> {
  await prisma.$executeRaw`
    UPDATE lanes SET wake_at = now() WHERE lane = (SELECT lane FROM mailbox WHERE endpoint_num = ${endpointNum} LIMIT 1)`.catch(
    () => {},
  );
}
