import { createHash } from 'node:crypto';
import type { OrderMode } from '../domain/endpoint.ts';

/**
 * What deliveries to one endpoint must have in common to be made one after the other; null when they need not. Subjects are told apart by
 * 32 bits of SHA-256: two that agree in them are kept in order together, which costs them some speed and nothing else. An event without a
 * subject has no place in the order of subjects. The SQL function `order_key` computes the same.
 */
export function orderKey(mode: OrderMode, subject: string | null): number | null {
  switch (mode) {
    case 'none':
      return null;
    case 'endpoint':
      return 0;
    case 'subject':
      return subject === null ? null : createHash('sha256').update(subject).digest().readInt32BE(0);
  }
}
