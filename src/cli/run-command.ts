import { type ParseArgsConfig, parseArgs } from 'node:util';

/** What is wrong with the arguments of a command, in one line. */
export class UsageError extends Error {}

/**
 * The whole of a command line: prints `usage` where it is asked for, and under what is wrong with the arguments.
 * @returns the exit code: that of `main`, 0 for `--help`, 2 for a UsageError. Any other error of `main` is passed on.
 */
export async function runCommand(
  usage: string,
  args: readonly string[],
  main: (args: readonly string[]) => Promise<number> | number,
): Promise<number> {
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  try {
    return await main(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    return 2;
  }
}

/** `parseArgs` of Node. @throws UsageError in place of its TypeErrors */
export function readFlags<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // What follows the first sentence is advice on how to write arguments that begin with a dash.
    throw new UsageError((error as Error).message.split(/\. |\n/)[0]);
  }
}

/** @throws UsageError that says what is allowed */
export function numberFlag(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${name}: expected a number from ${least} to ${most}, not ${text}`);
  return value;
}

/** @throws UsageError that says what is allowed */
export function countFlag(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`${name}: expected a whole number from ${least} to ${most}, not ${text}`);
  return value;
}
