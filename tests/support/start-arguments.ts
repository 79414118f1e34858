import { readFileSync } from 'node:fs';

/** A set-up, which then becomes node. */
const START = 'exec sh scripts/ready.sh node ';
const PACKAGE = new URL('../../package.json', import.meta.url);

/** What `npm start` gives node: flags, and the file that it runs, from the project's folder. @throws Error when it does something else. */
export function startArguments(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { scripts: { start: string } };
  if (!scripts.start.startsWith(START))
    throw new Error(`package.json: "start" is not "${START}…" but "${scripts.start}".`);
  return scripts.start.slice(START.length).split(' ');
}
