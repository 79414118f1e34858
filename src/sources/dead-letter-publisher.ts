import type { NotTaken } from '../store/publish-rejected.ts';
import type { StoredRejection } from '../store/rejected-messages.ts';

/** Publishes rejected messages to where the source says, by its own transport. */
export interface DeadLetterPublisher {
  /**
   * Resolves when the broker has each of them or has refused it.
   * @returns those that it refused: they hold up nobody, and are given again later
   * @throws when it may have none of them: all are given again
   */
  publish(messages: readonly StoredRejection[]): Promise<NotTaken>;
  close(): Promise<void>;
}
