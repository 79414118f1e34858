import type { Cursor } from '../store/mailbox.ts';

/** Goes through rows of a lane read by read: each read begins where the last one ended. */
export interface Look {
  /** When the last read began, in ms of `performance.now()`. */
  lookedAt: number;
  /** Whether there is nothing to look for. */
  readonly isOver: boolean;
  /** Where the next read begins. @param clockMs Postgres's clock */
  next(clockMs: number): Cursor;
  /** What the read brought was admitted. @param end its last row, where there may be more behind it; else null */
  took(end: Cursor | null): void;
}
