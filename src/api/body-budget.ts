import type { RequestHandler } from 'express';
import { Refusal } from '../domain/errors.ts';

/**
 * Bounds the memory that request bodies take together. What a request announces is set aside before its body is read, and freed when it
 * is answered; past the budget it gets 503 at once.
 * @param unannouncedBytes what is set aside for a body of unknown length
 */
export function bodyBudget(budgetBytes: number, unannouncedBytes: number): RequestHandler {
  let takenBytes = 0;
  return (request, response, next) => {
    const announced = Number(request.headers['content-length'] ?? unannouncedBytes);
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
