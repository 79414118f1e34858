import { Refusal } from '../domain/errors.ts';

export interface LookupLimits {
  /** How many are asked for at once; a single question may be longer. */
  readonly most: number;
  /** How many may wait, beside those that are asked for. */
  readonly mostWaiting: number;
  /** Ms for which whoever asks waits: what waited for longer is asked for nobody. */
  readonly patienceMs: number;
}

interface Question<A, R> {
  readonly asked: readonly A[];
  readonly since: number;
  readonly resolve: (found: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets those who ask while a lookup is under way share the next one: a flood of questions costs one statement at a time.
 * @returns what answers a question with everything that the lookup found, also for others. It throws Refusal 503 where too much waits.
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
    // A turn of the event loop in which others may join.
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
