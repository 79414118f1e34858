import { expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/run-command.ts';
import { readOptions } from './options.ts';
import { scalingScenarios } from './scenarios/scaling.ts';
import { chooseScenarios } from './scenarios.ts';

test('two files may be compared, or one with the newest result', () => {
  expect(readOptions(['--compare', 'a.json', 'b.json'])).toMatchObject({
    mode: 'compare',
    compare: ['a.json', 'b.json'],
  });
  expect(readOptions(['--compare', 'a.json']).compare).toEqual(['a.json']);
});

test('what is no option, no scenario or out of range is refused before anything is started', () => {
  const wrong = [
    ['--layout', 'three'],
    ['--seconds', '0'],
    ['--minutes', 'x'],
    ['stray'],
    ['--fast'],
    ['--compare', 'a', 'b', 'c'],
  ];
  for (const args of wrong) expect(() => readOptions(args), args.join(' ')).toThrow(UsageError);
  expect(() => chooseScenarios(['batch100', 'nothing'], false)).toThrow(UsageError);
});

test('a quick run plays two scenarios, a whole one all but those that are asked for by name', () => {
  const names = (only: string[], quick: boolean) => chooseScenarios(only, quick).map(({ name }) => name);
  expect(names([], true)).toEqual(['batch100', 'latency1000']);
  expect(names(['limit'], false)).toEqual([]);
  expect(names([], false)).toContain('drain1m');
  expect(names([], false)).not.toContain('kept');
  expect(names(['kept'], false)).toEqual(['kept']);
  expect(names(['kept', 'scaling'], false)).toEqual(['kept', ...scalingScenarios.map(({ name }) => name)]);
});
