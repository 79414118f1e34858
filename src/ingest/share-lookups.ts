import { Refusal } from '../domain/errors.ts';

export interface LookupLimits {
  /** Most items of one lookup. A single question may have more. */
  readonly most: number;
  /** Most items that may wait for the next lookups, beside those that are being looked up. */
  readonly mostWaiting: number;
  /** How long whoever asks waits, in ms. A question that has waited for longer is refused unasked: nobody waits for its answer. */
  readonly patienceMs: number;
}

interface Question<A, R> {
  readonly asked: readonly A[];
  readonly since: number;
  readonly resolve: (found: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets those who ask while a lookup is under way share the next one: however many questions come, one statement runs at a time.
 * @returns a function that answers a question with everything that its lookup found, for others too. It throws Refusal 503 if too much waits
 */
export function shareLookups<A, R>(
  find: (asked: readonly A[]) => Promise<R>,
  { most, mostWaiting, patienceMs }: LookupLimits,
): (asked: readonly A[]) => Promise<R> {
  let waiting: Question<A, R>[] = [];
  let count = 0;
  let isBusy = false;

  const take = (): readonly Question<A, R>[] => {
    const oldest = performance.now() - patienceMs;
    const taken: Question<A, R>[] = [];
    let size = 0;
    let at = 0;
    for (; at < waiting.length; at++) {
      const question = waiting[at]!;
      if (taken.length > 0 && size + question.asked.length > most) break;
      count -= question.asked.length;
      if (question.since < oldest) {
        question.reject(overloaded());
        continue;
      }
      size += question.asked.length;
      taken.push(question);
    }
    waiting = waiting.slice(at);
    return taken;
  };

  const lookUp = async (): Promise<void> => {
    isBusy = true;
    // A microtask later, so that questions that come until then join.
    await Promise.resolve();
    for (let taken = take(); taken.length > 0; taken = take()) {
      try {
        const found = await find(taken.flatMap(({ asked }) => asked));
        for (const { resolve } of taken) resolve(found);
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    isBusy = false;
  };

  return (asked) => {
    if (count > 0 && count + asked.length > mostWaiting) return Promise.reject(overloaded());
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    waiting.push({ asked, since: performance.now(), resolve, reject });
    count += asked.length;
    if (!isBusy) void lookUp();
    return promise;
  };
}

const overloaded = () =>
  new Refusal(503, 'overloaded', 'Too much waits to be looked up. Send it again later.', {
    retryAfterSeconds: 1,
  });
