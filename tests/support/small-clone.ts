import { execFile, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { PATIENCE_MS } from './patience.ts';

const run = promisify(execFile);
export const SCRIPTS = join(import.meta.dirname, '../../scripts');

/** Stands in for npm: it clears `node_modules`, brings what the lock file wants, and writes down what it was asked, and what lay in the clone meanwhile. */
export const NPM = `
  const fs = require('node:fs');
  fs.appendFileSync('npm.log', process.argv[2] + ' ' + fs.readdirSync('.').filter((name) => name.includes('lock')).sort() + '\\n');
  fs.rmSync('node_modules', { recursive: true });
  fs.mkdirSync('node_modules');
  fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`;

export type Clone = ReturnType<typeof makeClone>;

/** A clone in miniature, with a temporary folder of its own. */
export function makeClone() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'posthorn-clone-')));
  onTestFinished(() => {
    chmodSync(root, 0o755);
    rmSync(root, { recursive: true });
  });
  for (const folder of ['scripts', 'node_modules', 'shared']) mkdirSync(join(root, folder));
  for (const name of ['setup.mjs', 'setup', 'ready.sh'])
    cpSync(join(SCRIPTS, name), join(root, 'scripts', name), { recursive: true });
  writeFileSync(join(root, 'scripts/npm-cli.js'), NPM);
  writeFileSync(join(root, 'package-lock.json'), '{"packages":{}}');
  const env = {
    ...process.env,
    TMPDIR: join(root, 'shared'),
    npm_execpath: join(root, 'scripts/npm-cli.js'),
    npm_node_execpath: process.execPath,
    // As with the embedded Postgres.
    DATABASE_URL: '',
    DATABASE_URL_FILE: '',
  };
  const script = join(root, 'scripts/setup.mjs');
  const runIn = (file: string, ...args: string[]) => run(file, args, { env, timeout: PATIENCE_MS });
  return {
    root,
    run: runIn,
    script,
    env,
    installed: join(root, 'node_modules/.package-lock.json'),
    setUp: () => runIn(process.execPath, script),
    asked: () => readFileSync(join(root, 'npm.log'), 'utf8'),
  };
}

/** An npm that stays at work until the file `go` is there, and then ends as the usual one. */
export const WAITING_NPM = `
  const fs = require('node:fs');
  process.on('SIGTERM', () => { fs.writeFileSync('npm-stopped', ''); process.exit(1); });
  console.log('at work ' + process.pid);
  const look = () => {
    // The clone is gone: so is the test.
    if (!fs.existsSync('package-lock.json')) process.exit(1);
    if (!fs.existsSync('go')) return setTimeout(look, 20);
    { ${NPM} }
  };
  look();`;

/** A program in the clone, with its output line by line; ended with the test. */
export function spawnIn(
  { root, env, account = {} }: Clone & { account?: { uid?: number; gid?: number } },
  file: string,
  ...args: string[]
) {
  const child = spawn(file, args, { cwd: root, env, stdio: ['pipe', 'pipe', 'inherit'], ...account });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface(child.stdout);
  const said = async (what: RegExp): Promise<string> => {
    for await (const [line] of on(lines, 'line', { close: ['close'] })) if (what.test(line)) return line;
    throw new Error(`ended without ${what}`);
  };
  return { child, said, ended: once(child, 'exit') };
}
