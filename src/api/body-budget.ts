import type { RequestHandler } from 'express';
import { Refusal } from '../domain/errors.ts';

export interface BodyBudgetOptions {
  readonly budgetBytes: number;
  /** The largest body that is read. */
  readonly largestBytes: number;
  /** What is set aside for a body of unknown length. */
  readonly unannouncedBytes: number;
}

/**
 * Bounds the memory that request bodies take together. What a request announces is set aside before its body is read, and freed when it
 * is answered; past the budget it gets 503 at once.
 */
export function bodyBudget({ budgetBytes, largestBytes, unannouncedBytes }: BodyBudgetOptions): RequestHandler {
  let takenBytes = 0;
  return (request, response, next) => {
    const announced = Number(request.headers['content-length'] ?? unannouncedBytes);
    // Nothing of it is kept, and it may take as long as its producer likes to be refused: others need not wait for that.
    if (announced > largestBytes) return next();
    // Its producer left while the key was looked up: no close is to come that would free what is set aside.
    if (response.closed) return next();
    if (takenBytes > 0 && takenBytes + announced > budgetBytes) {
      throw new Refusal(
        503,
        'overloaded',
        'More request bodies are under way than this process may hold. Send it again later.',
        { retryAfterSeconds: 1 },
      );
    }
    takenBytes += announced;
    response.once('close', () => {
      takenBytes -= announced;
    });
    next();
  };
}
