import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

test('nothing of ours is loaded before what Node makes of it is kept for the next start', () => {
  const main = readFileSync(join(ROOT, 'src/main.js'), 'utf8');
  const imports = [...main.matchAll(/^import .* from '(.+)';$/gm)].map(([, from]) => from);
  expect(imports).toContain('node:module');
  for (const from of imports) expect(from).toMatch(/^node:/);
  expect(main.indexOf('enableCompileCache(')).toBeLessThan(main.indexOf("import('./start.ts')"));
});

/** At the end of a process, on standard error: whether Node loaded what takes types out of files, and keeps it. */
const SAY_WHETHER_TYPES_WERE_TAKEN_OUT = `data:text/javascript,process.on('exit', () => console.error(process.moduleLoadList.some((name) => name.includes('amaro'))))`;

test('a start whose files were all kept from an earlier one takes out no types', () => {
  // The tests keep what Node makes of files, too, and from the first line on.
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const start = () =>
    spawnSync(process.execPath, ['--import', SAY_WHETHER_TYPES_WERE_TAKEN_OUT, 'src/main.js', '--help'], {
      cwd: ROOT,
      env,
      encoding: 'utf8',
    });
  start();
  const { status, stdout, stderr } = start();
  expect(status).toBe(0);
  expect(stdout).toContain('npm start');
  expect(stderr).toBe('false\n');
});

/** Closes the terminal, if the process has one, when it begins to load what is ours. */
const HANG_UP_AT_THE_FIRST_IMPORT = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === './start.ts') process.kill(process.pid, 'SIGHUP');
      return next(specifier, context);
    },
  });`)}`;

/** @param stdin what the process has for its standard input, beside pipes */
function startAndHangUp(stdin: 'ignore' | number) {
  const args = ['--import', HANG_UP_AT_THE_FIRST_IMPORT, 'src/main.js', '--help'];
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', stdio: [stdin, 'pipe', 'pipe'] });
}

test('a process without a terminal, as under nohup, goes on when one is closed while it starts', () => {
  const { status, signal, stdout } = startAndHangUp('ignore');
  expect({ status, signal }).toEqual({ status: 0, signal: null });
  expect(stdout).toContain('npm start');
});

test('a process whose terminal is closed while it starts ends', { skip: process.platform !== 'linux' }, () => {
  const terminal = openSync('/dev/ptmx', 'r+');
  onTestFinished(() => closeSync(terminal));
  expect(startAndHangUp(terminal).signal).toBe('SIGHUP');
});

/** Loads the service with all its roles, as a process does at its start, and says which packages came with it. */
const LIST_PACKAGES = `
  const packages = new Set();
  require('node:module').registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(resolved.url);
      if (name !== null) packages.add(name[1]);
      return resolved;
    },
  });
  Promise.all(['start', 'workers/worker-role', 'sources/ingest-role', 'api/app'].map((name) => import('./src/' + name + '.ts'))).then(() => console.log(JSON.stringify([...packages])));`;

test('a process loads the client of Kafka, which takes as long as a third of all others together, only where there is a use for it', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', LIST_PACKAGES], { cwd: ROOT, encoding: 'utf8' });
  expect(stderr).toBe('');
  const packages = JSON.parse(stdout);
  expect(packages).toEqual(expect.arrayContaining(['bullmq', 'undici', 'rabbitmq-client', 'express']));
  expect(packages).not.toContain('@platformatic/kafka');
});
