import type { StoredRejection } from '../store/rejected-messages.ts';

/** Publishes rejected messages to where the source says, by its own transport. */
export interface DeadLetterPublisher {
  /** Resolves when the broker has all of them. @throws when it may not have: they are given again. */
  publish(messages: readonly StoredRejection[]): Promise<void>;
  close(): Promise<void>;
}
