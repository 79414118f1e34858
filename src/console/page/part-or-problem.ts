import { CallError } from './api.ts';
import type { Child } from './element.ts';
import { problemBox } from './problem-box.ts';

/** A part of a view that may be refused while the rest can be read: for a scope that the key lacks, say. */
export type Part<T> = { readonly data: T } | { readonly problem: CallError['problem'] };

/** Concern the whole page: nobody is signed in, or there is no such object. */
const OF_THE_WHOLE: ReadonlySet<number> = new Set([401, 404]);
/** For views of which a part stays when its object is gone. */
export const SIGNED_OUT: ReadonlySet<number> = new Set([401]);
const FORBIDDEN = 403;

/**
 * For one view. What a part could not be read for is shown in its place. Once the part was read, that goes for a missing scope alone: for anything else
 * the reading as a whole has failed, and what was read before stays.
 * @param ofTheWhole statuses that always fail the whole. What is read throws CallError for them
 */
export function partReader(
  ofTheWhole: ReadonlySet<number> = OF_THE_WHOLE,
): <T>(name: string, work: Promise<T>) => Promise<Part<T>> {
  const known = new Set<string>();
  return async (name, work) => {
    try {
      const data = await work;
      known.add(name);
      return { data };
    } catch (error) {
      if (!(error instanceof CallError) || ofTheWhole.has(error.problem.status)) throw error;
      if (known.has(name) && error.problem.status !== FORBIDDEN) throw error;
      return { problem: error.problem };
    }
  };
}

export function renderPart<T>(loaded: Part<T>, render: (data: T) => readonly Child[]): readonly Child[] {
  return 'data' in loaded ? render(loaded.data) : [problemBox(new CallError(loaded.problem))];
}
