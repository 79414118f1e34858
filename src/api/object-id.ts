import { z } from 'zod';
import type { IdPrefix } from '../domain/ids.ts';

/** An id of ours in a path. Anything else names nothing, and is not worth a query. */
export function objectId(prefix: IdPrefix) {
  return z.string().regex(new RegExp(`^${prefix}_[0-9a-z]{26}$`), `expected an id that begins with ${prefix}_`);
}
