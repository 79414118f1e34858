import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { Prisma, PrismaClient } from './generated/client.ts';

export type { PrismaClient };
export { Prisma };

/** How long the beginning of a transaction may take, beside the wait for a connection, in ms. */
const BEGIN_MS = 1_200;

/**
 * Prisma over an existing pool: for configuration, where its types are worth more than its microseconds. Hot paths use the pool itself.
 * @param connectMs what a wait for a connection of the pool may take once the process serves
 */
export function createPrisma(pool: pg.Pool, connectMs: number): PrismaClient {
  const transactionOptions = { maxWait: connectMs + BEGIN_MS, timeout: 10_000 };
  return new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions });
}

/** A client inside `$transaction`. */
export type Transaction = Prisma.TransactionClient;
