import { expect, test } from 'vitest';
import { variables } from '../config/variables.ts';
import { bareEnvironment } from './bare-environment.ts';

test('nothing that Posthorn reads comes through, by itself or in a file, and what any process needs does', () => {
  const names = Object.keys(variables);
  expect(names).toContain('DATABASE_URL');
  const known = names.flatMap((name) => [name, `${name}_FILE`]);
  const env = Object.fromEntries(known.map((name) => [name, 'x']));
  expect(bareEnvironment({ ...env, PATH: '/bin', HOME: '/root' })).toEqual({ PATH: '/bin', HOME: '/root' });
});
