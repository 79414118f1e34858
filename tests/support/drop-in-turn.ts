import type { dropOldPartitions } from '../../src/store/retention.ts';
import { eventually } from './eventually.ts';

/**
 * Drops old days as soon as nobody else is at it: the lock of a drop that failed goes with its connection, whose end Postgres may hear of a
 * moment later.
 */
export const dropInTurn = (drop: () => ReturnType<typeof dropOldPartitions>) =>
  eventually(drop, (dropped) => dropped !== 'left');
