import type { Context } from '../context.ts';
import { periodic, type Service } from '../lifecycle.ts';
import { listenForWork, type WorkKind } from '../queues/work-bell.ts';
import { farewell } from './farewell.ts';

export interface WorkServiceOptions {
  readonly kind: WorkKind;
  readonly queues: Context['queues'];
  /** Between two looks of our own, in case a ring was lost. */
  readonly lookMs: number;
  /** Does what there is to do, for at most `budgetMs`. */
  readonly drain: (signal: AbortSignal, budgetMs: number) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** How long one answer to the bell works before another process may have its turn. */
const TURN_MS = 10_000;

/** Work that is done when its bell rings, and at a look of our own in case it was lost. */
export function workService({ kind, queues, lookMs, drain, onFailure }: WorkServiceOptions): Service {
  const stopping = new AbortController();
  const work = () => drain(stopping.signal, TURN_MS);
  const looking = periodic(kind, lookMs, work, (_name, error) => onFailure(error));
  let listener: ReturnType<typeof listenForWork> | undefined;
  return {
    name: kind,
    start: async () => {
      listener = listenForWork(queues, kind, work);
      await looking.start();
    },
    stop: async (deadlineMs) => {
      stopping.abort();
      await Promise.all([farewell(listener?.close()), looking.stop(deadlineMs)]);
    },
  };
}
