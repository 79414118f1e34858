import { expect, test } from 'vitest';
import type { EventTypeVersion } from '../store/event-types.ts';
import { checkVersion } from './check-version.ts';

const schema = { properties: { a: { type: 'string' } } };

function registered(minor: number): EventTypeVersion {
  const times = { createdAt: new Date(0), updatedAt: new Date(0) };
  const texts = { schema: JSON.stringify(schema), example: null, casts: null, description: '' };
  return { major: 1, minor, patch: 0, state: 'active', ...texts, ...times };
}

test('others get the event loop between two comparisons with versions that are there', async () => {
  let turns = 0;
  let isDone = false;
  const count = () => {
    if (isDone) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  const others = Array.from({ length: 20 }, (_, minor) => registered(minor));
  await checkVersion({ major: 1, minor: 30, patch: 0 }, { schema }, others);
  isDone = true;
  expect(turns).toBeGreaterThanOrEqual(19);
});
