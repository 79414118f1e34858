import { writeFile } from 'node:fs/promises';
import { type Account, runProgram } from './run-program.ts';

/**
 * Writes a file whole as `account` would, in a folder that is the account's. Root itself must not write there: what stands under the name may be a link that the
 * account put there, to a file that is not its own.
 * @throws Error with what the system said
 */
export async function writeAs(account: Account, path: string, text: string): Promise<void> {
  if (account === null) return writeFile(path, text);
  const script = `umask 077; printf %s "$1" > "$0.new" && mv -f -- "$0.new" "$0"`;
  const { code, output } = await runProgram('/bin/sh', ['-c', script, path, text], { account });
  if (code !== 0) throw new Error(output);
}
