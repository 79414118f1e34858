import { type IQueueBackend, type Job, type JobProgress, Worker } from 'bullmq';

/** How long to pause after a fetch that failed, in ms. */
const PAUSE_MS = 1_000;

/**
 * A worker that pauses after every fetch that fails. BullMQ does so only when a connection is refused; after any other failure it fetches
 * again at once.
 */
// biome-ignore lint/suspicious/noExplicitAny: as BullMQ declares its jobs.
export class PacedWorker<B extends IQueueBackend, C> extends Worker<any, any, string, B, JobProgress, C> {
  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      throw error;
    }
  }
}
