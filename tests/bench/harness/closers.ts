/** What has to be undone, in the order in which it was done. */
export type Closers = (() => Promise<unknown>)[];

/** Undoes all of it in reverse order, whatever fails, and empties the list. @throws the first failure. */
export async function closeAll(closers: Closers): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.splice(0).reverse()) await close().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
