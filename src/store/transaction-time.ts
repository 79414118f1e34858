import type { Transaction } from './prisma.ts';

/** Postgres's time at which the transaction began, for columns that say when a row was changed: the clock of this host may be any. */
export async function transactionTime(transaction: Transaction): Promise<Date> {
  const [row] = await transaction.$queryRaw<[{ now: Date }]>`SELECT now()`;
  return row.now;
}
