import { expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/run-command.ts';
import { readOptions } from './options.ts';

test('one scenario is played with what is asked for', () => {
  expect(readOptions(['--scenario', 'F11', '--seed', '7', '--minutes', '5', '--backend', 'postgres'])).toEqual({
    mode: 'one',
    scenario: 'F11',
    seed: 7,
    minutes: 5,
    backend: 'postgres',
    short: false,
    keep: false,
    record: false,
  });
});

test.each([
  [[]],
  [['--all', '--soak']],
  [['--soak', '--minutes', '0']],
  [['--soak', '--events', 'many']],
  [['--all', '--seed', '-1']],
  [['--all', '--backend', 'disk']],
  [['--all', '--short', '--record']],
  [['--fast']],
  [['F11']],
])('%j is refused before anything is started', (args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
});
