import { CallError } from './api.ts';
import type { Child } from './element.ts';
import { problemBox } from './problem-box.ts';

/** A part of a view that may be refused while the rest can be read: for a scope that the key lacks, say. */
export type Part<T> = { readonly data: T } | { readonly problem: CallError['problem'] };

/** @throws CallError 401, which concerns the whole page; and whatever is no answer of the API */
export async function part<T>(work: Promise<T>): Promise<Part<T>> {
  try {
    return { data: await work };
  } catch (error) {
    if (!(error instanceof CallError) || error.problem.status === 401) throw error;
    return { problem: error.problem };
  }
}

export function renderPart<T>(loaded: Part<T>, render: (data: T) => readonly Child[]): readonly Child[] {
  return 'data' in loaded ? render(loaded.data) : [problemBox(new CallError(loaded.problem))];
}
