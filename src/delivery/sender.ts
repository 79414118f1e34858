import type { Outcome } from '../domain/outcome.ts';
import type { PreparedRequest } from './prepare.ts';

/** A request under way. */
export interface Abandonable {
  /** Hangs up: its outcome is not reported. It may or may not have arrived. */
  abandon(): void;
}

/** The only outbound network call of a delivery: one implementation for each type of destination. */
export interface Sender<Request extends PreparedRequest = PreparedRequest> {
  /**
   * Makes one request and reports its outcome exactly once, never before it returns, within the request's `timeoutMs` and a
   * tick; not at all when it is abandoned first, or `abortAll` comes. Throws only after `close`.
   */
  send(request: Request, onOutcome: (outcome: Outcome) => void): Abandonable;
  /** Gives up everything under way, and says how much that was. None of it is reported: it may or may not have arrived. */
  abortAll(): number;
  /** Aborts what is under way and closes every connection. The resolver stays open. */
  close(): Promise<void>;
  /** Requests whose outcome is not known yet. */
  readonly inFlight: number;
}
