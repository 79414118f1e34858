import type { Outcome } from '../domain/outcome.ts';
import type { PreparedRequest } from './prepare.ts';

/** The only outbound network call of a delivery: one implementation for each type of destination. */
export interface Sender<Request extends PreparedRequest = PreparedRequest> {
  /**
   * Makes one request and reports its outcome exactly once, never before it returns, within the request's `timeoutMs` and a
   * tick; not at all when `abortAll` comes first. Throws only after `close`.
   */
  send(request: Request, onOutcome: (outcome: Outcome) => void): void;
  /** Gives up everything under way, and says how much that was. None of it is reported: it may or may not have arrived. */
  abortAll(): number;
  /** Aborts what is under way and closes every connection. The resolver stays open. */
  close(): Promise<void>;
  /** Requests whose outcome is not known yet. */
  readonly inFlight: number;
}
