import type { PrismaClient, Transaction } from './prisma.ts';

/** Ends a transaction with a result and without a trace. */
class Undone extends Error {
  readonly result: unknown;

  constructor(result: unknown) {
    super('The transaction is undone.');
    this.result = result;
  }
}

/**
 * Runs `work` in one transaction. Where there turns out to be nothing to change, or nothing may be changed, `work` calls `undo` with the
 * result, so that what it wrote until then is gone as well: versions that rise with each change, above all, for which events under way are
 * matched and checked anew.
 */
export async function undoable<T>(
  prisma: PrismaClient,
  work: (transaction: Transaction, undo: (result: T) => never) => Promise<T>,
): Promise<T> {
  const undo = (result: T): never => {
    throw new Undone(result);
  };
  try {
    return await prisma.$transaction((transaction) => work(transaction, undo));
  } catch (error) {
    if (error instanceof Undone) return error.result as T;
    throw error;
  }
}
