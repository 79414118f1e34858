import { readFileSync } from 'node:fs';

const PACKAGE = new URL('../../package.json', import.meta.url);

/** What `npm start` gives node: flags, and the file that it runs, from the project's folder. @throws Error when it does something else. */
export function startArguments(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { scripts: { start: string } };
  const [exec, node, ...rest] = scripts.start.split(' ');
  if (exec !== 'exec' || node !== 'node')
    throw new Error(`package.json: "start" is not "exec node …" but "${scripts.start}".`);
  return rest;
}
