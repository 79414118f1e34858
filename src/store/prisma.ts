import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { Prisma, PrismaClient } from './generated/client.ts';

export type { PrismaClient };
export { Prisma };

/** What the beginning of a transaction may take beside the wait for a connection, in ms. */
const BEGIN_MS = 1_200;

/** Prisma over an existing pool: for configuration, where its types are worth more than its microseconds. Hot paths use the pool itself. */
export function createPrisma(pool: pg.Pool): PrismaClient {
  const maxWait = (pool.options.connectionTimeoutMillis ?? 0) + BEGIN_MS;
  return new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions: { maxWait, timeout: 10_000 } });
}

/** A client inside `$transaction`. */
export type Transaction = Prisma.TransactionClient;
