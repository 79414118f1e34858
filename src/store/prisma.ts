import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { Prisma, PrismaClient } from './generated/client.ts';

export type { PrismaClient };
export { Prisma };

/** Prisma over an existing pool: for configuration, where its types are worth more than its microseconds. Hot paths use the pool itself. */
export function createPrisma(pool: pg.Pool): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions: { maxWait: 2_000, timeout: 10_000 } });
}

/** A client inside `$transaction`. */
export type Transaction = Prisma.TransactionClient;
