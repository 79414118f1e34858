import { afterEach, expect, test, vi } from 'vitest';
import { countFlag, numberFlag, readFlags, runCommand, UsageError } from './run-command.ts';

const printed = { stdout: '', stderr: '' };

afterEach(() => vi.restoreAllMocks());

async function run(args: readonly string[], main: (args: readonly string[]) => Promise<number> | number) {
  for (const stream of ['stdout', 'stderr'] as const) {
    printed[stream] = '';
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    });
  }
  const exitCode = await runCommand('usage', args, main);
  vi.restoreAllMocks();
  return { exitCode, ...printed };
}

test('whoever asks for help gets the usage, and nothing is done', async () => {
  const main = vi.fn(() => 1);
  for (const flag of ['--help', '-h'])
    expect(await run(['--events', flag], main)).toEqual({ exitCode: 0, stdout: 'usage\n', stderr: '' });
  expect(main).not.toHaveBeenCalled();
});

test('arguments that are wrong are told in one line above the usage; other errors are not taken for such', async () => {
  const wrong = () => readFlags({ args: ['--x'] }) && 0;
  expect(await run([], wrong)).toEqual({ exitCode: 2, stdout: '', stderr: "Unknown option '--x'\n\nusage\n" });
  expect(await run([], () => 3)).toEqual({ exitCode: 3, stdout: '', stderr: '' });
  await expect(run([], () => Promise.reject(new Error('away')))).rejects.toThrow('away');
});

test.each([
  [['--x'], "Unknown option '--x'"],
  [['--n'], "Option '--n <value>' argument missing"],
  [['--n', '-1'], "Option '--n' argument is ambiguous."],
  [['--is=1'], "Option '--is' does not take an argument"],
  [['stray'], "Unexpected argument 'stray'"],
])('%j is refused in one line', (args, message) => {
  const read = () => readFlags({ args, options: { n: { type: 'string' }, is: { type: 'boolean' } } });
  expect(read).toThrow(UsageError);
  expect(read).toThrow(new RegExp(`^${message}$`));
});

test('a number that is out of range, or none, is refused with what is allowed', () => {
  expect(['1', '10'].map((text) => countFlag('--n', text, 1, 10))).toEqual([1, 10]);
  for (const text of ['0', '11', '', ' ', 'x', '1.5', '1e1', '-1'])
    expect(() => countFlag('--n', text, 1, 10)).toThrow(`--n: expected a whole number from 1 to 10, not ${text}`);
  expect(['0.1', '2'].map((text) => numberFlag('--n', text, 0.1, 2))).toEqual([0.1, 2]);
  for (const text of ['0', '2.1', '', ' ', 'x'])
    expect(() => numberFlag('--n', text, 0.1, 2)).toThrow(`--n: expected a number from 0.1 to 2, not ${text}`);
});
