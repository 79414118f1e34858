import { writeFile } from 'node:fs/promises';
import { type Account, runProgram } from './run-program.ts';

/**
 * Writes a whole file as `account` would, in a folder that belongs to the account. Root itself must not write there: the account may have
 * put a link under that name, to a file that is not its own.
 * @throws Error with what the system said
 */
export async function writeAs(account: Account, path: string, text: string): Promise<void> {
  if (account === null) return writeFile(path, text);
  const script = `umask 077; printf %s "$1" > "$0.new" && mv -f -- "$0.new" "$0"`;
  const { code, output } = await runProgram('/bin/sh', ['-c', script, path, text], { account });
  if (code !== 0) throw new Error(output);
}
