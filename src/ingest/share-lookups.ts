/**
 * Lets those who ask while a lookup is under way share the next one: a flood of questions costs one statement at a time.
 * @param most how many are asked for at once; a single question may be longer
 * @returns what answers a question with everything that the lookup found, also for others
 */
export function shareLookups<A, R>(
  find: (asked: readonly A[]) => Promise<R>,
  most: number,
): (asked: readonly A[]) => Promise<R> {
  let gathering: A[] | null = null;
  let result: Promise<R>;
  let last: Promise<unknown> = Promise.resolve();
  return (asked) => {
    if (gathering === null || gathering.length + asked.length > most) {
      const mine: A[] = [];
      gathering = mine;
      result = last.then(() => {
        if (gathering === mine) gathering = null;
        return find(mine);
      });
      last = result.catch(() => {});
    }
    for (const one of asked) gathering.push(one);
    return result;
  };
}
