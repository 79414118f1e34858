import { expect, test } from 'vitest';
import { createTlsSessions } from './tls-sessions.ts';

test('at most so many sessions are kept, the newest of them', () => {
  const sessions = createTlsSessions(2);
  const session = (name: string) => Buffer.from(name);
  sessions.keep('a', session('a1'));
  sessions.keep('b', session('b1'));
  sessions.keep('a', session('a2'));
  sessions.keep('c', session('c1'));
  expect([sessions.get('a'), sessions.get('b'), sessions.get('c')]).toEqual([session('a2'), undefined, session('c1')]);
});
