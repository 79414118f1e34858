import type { PrismaClient, Transaction } from './prisma.ts';

/** Thrown to end a transaction with a result, but without a trace. */
class Undone extends Error {
  readonly result: unknown;

  constructor(result: unknown) {
    super('The transaction is undone.');
    this.result = result;
  }
}

/**
 * Runs `work` in one transaction. When `work` finds that nothing is to be changed, or may be, it calls `undo` with the result, and what it
 * has written until then is undone. That matters most for versions that rise with each change, for which events under way are matched and
 * checked anew.
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
