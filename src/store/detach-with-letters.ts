import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { DECISION } from './codes.ts';
import { keepTogether } from './copy-dead-letters.ts';
import { isDeadlockOrTimeout, isStatementTimeout } from './lock-errors.ts';
import { withShortWaits } from './short-waits.ts';

/** How long everybody may have to wait behind the detachment, which waits for readers of the parent, in ms. */
const LOCK_MS = 200;
const MAX_TRIES = 5;
/** Dead letters that are moved at one moment at the most: until then their events cannot be expunged. */
const MOST_LETTERS = 20_000;

/**
 * Moves a day's dead letters from the log to where they are kept, and detaches the day, all at one moment: whoever looks finds each of them
 * in one place. What is to be written to the day meanwhile waits: only what ends late of events of that age, which is rare.
 * @returns false when it could not have the tables for itself, or the dead letters are too many for one transaction or take too long:
 * nothing was changed then
 */
export async function detachWithLetters(client: pg.ClientBase, parent: string, name: string): Promise<boolean> {
  try {
    return await withShortWaits(client, () => moveAndDetach(client, parent, name), LOCK_MS);
  } catch (error) {
    if (isDeadlockOrTimeout(error) || isStatementTimeout(error)) return false;
    throw error;
  }
}

/** @returns false where the dead letters are too many */
async function moveAndDetach(client: pg.ClientBase, parent: string, name: string): Promise<boolean> {
  await client.query(`LOCK TABLE "${name}" IN SHARE MODE`);
  // Only what is to be written to this day waits behind the copying.
  await client.query('SET LOCAL lock_timeout = DEFAULT');
  if (!(await hasFewLetters(client, name))) return false;
  await keepTogether(client, name);
  await client.query(`SET LOCAL lock_timeout = ${LOCK_MS}`);
  await detach(client, parent, name);
  return true;
}

async function hasFewLetters(client: pg.ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM (SELECT FROM "${name}" WHERE decision = ${DECISION.deadLetter} LIMIT ${MOST_LETTERS + 1}) few`,
  );
  return rows[0]!.n <= MOST_LETTERS;
}

async function detach(client: pg.ClientBase, parent: string, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    await client.query('SAVEPOINT before_detachment');
    try {
      await client.query(`ALTER TABLE "${parent}" DETACH PARTITION "${name}"`);
      return;
    } catch (error) {
      if (tries >= MAX_TRIES || !isDeadlockOrTimeout(error)) throw error;
      await client.query('ROLLBACK TO before_detachment');
      await sleep(LOCK_MS);
    }
  }
}
