import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { processIdentity, processScope } from '../../src/embedded/process-identity.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const run = promisify(execFile);
const SETUP = join(import.meta.dirname, '../../scripts/setup.mjs');
/** Stands in for npm: it clears `node_modules`, brings what the lock file wants, and writes down what it was asked, and what lay in the clone meanwhile. */
const NPM = `
  const fs = require('node:fs');
  fs.appendFileSync('npm.log', process.argv[2] + ' ' + fs.readdirSync('.').filter((name) => name.includes('lock')).sort() + '\\n');
  fs.rmSync('node_modules', { recursive: true });
  fs.mkdirSync('node_modules');
  fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`;

/** A clone in miniature, with a temporary folder of its own. */
function makeClone() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'posthorn-clone-')));
  onTestFinished(() => {
    chmodSync(root, 0o755);
    rmSync(root, { recursive: true });
  });
  for (const folder of ['scripts', 'node_modules', 'shared']) mkdirSync(join(root, folder));
  copyFileSync(SETUP, join(root, 'scripts/setup.mjs'));
  writeFileSync(join(root, 'scripts/npm-cli.js'), NPM);
  writeFileSync(join(root, 'package-lock.json'), '{"packages":{}}');
  const env = { ...process.env, TMPDIR: join(root, 'shared'), npm_execpath: join(root, 'scripts/npm-cli.js') };
  const script = join(root, 'scripts/setup.mjs');
  return {
    root,
    script,
    env,
    installed: join(root, 'node_modules/.package-lock.json'),
    setUp: () => run(process.execPath, [script], { env, timeout: PATIENCE_MS }),
    asked: () => readFileSync(join(root, 'npm.log'), 'utf8'),
  };
}

test('another account cannot keep a set-up waiting: its lock is in the clone, and gone afterwards', async () => {
  const { root, setUp, asked } = makeClone();
  const inShared = `posthorn-setup-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
  mkdirSync(join(root, 'shared', inShared));
  writeFileSync(join(root, 'shared', inShared, 'pid'), String(process.pid));
  await setUp();
  expect(asked()).toBe('ci .setup-lock,package-lock.json\n');
  expect(existsSync(join(root, '.setup-lock'))).toBe(false);
});

test('of two set-ups of a clone at once one does the work, and the other finds it done', async () => {
  const { setUp, asked } = makeClone();
  await Promise.all([setUp(), setUp()]);
  expect(asked().match(/^ci /gm)).toHaveLength(1);
});

/** @param silentMs how long ago its owner last touched it */
function plantLock(root: string, owner: readonly string[], silentMs: number): string {
  const lock = join(root, '.setup-lock');
  mkdirSync(lock);
  writeFileSync(join(lock, 'pid'), owner.join('\n'));
  const touched = new Date(Date.now() - silentMs);
  utimesSync(lock, touched, touched);
  return lock;
}

const LONG_AGO = 120_000;
const scope = await processScope();
const own = (await processIdentity(process.pid))!;

test.each([
  ['a process number that another program has by now', [String(process.pid), scope, 'another time'], 0],
  ['another container, whose process numbers are others', [String(process.pid), 'elsewhere', own], LONG_AGO],
  ['a former version, which wrote its number alone', [String(process.pid)], LONG_AGO],
])('a set-up that was killed holds nobody up: %s', async (_, owner, silentMs) => {
  const { root, setUp, asked } = makeClone();
  plantLock(root, owner, silentMs);
  await setUp();
  expect(asked()).toMatch(/^ci /);
  expect(readdirSync(root).filter((name) => name.startsWith('.setup-lock'))).toEqual([]);
});

test.each([
  ['a process of ours', [String(process.pid), scope, own], LONG_AGO],
  ['one of another container, which touches it', [String(process.pid), 'elsewhere', own], 0],
])('a set-up that is at work is waited for, and which folder to delete is told: %s', async (_, owner, silentMs) => {
  const { root, script, env, installed, asked } = makeClone();
  const lock = plantLock(root, owner, silentMs);
  const waiter = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void waiter.kill('SIGKILL'));
  const ended = once(waiter, 'exit');
  const [said] = await once(waiter.stdout!, 'data');
  expect(String(said)).toContain(`delete ${lock}`);
  writeFileSync(installed, '{"packages":{}}');
  rmSync(lock, { recursive: true });
  expect(await ended).toEqual([0, null]);
  expect(asked).toThrow('ENOENT');
});

test('a set-up tells who it is, and touches its lock while it is at work', async () => {
  const { root, setUp } = makeClone();
  // Until its lock was touched: in the midst of it, so that it is not the writing that touched it.
  writeFileSync(
    join(root, 'scripts/npm-cli.js'),
    `const fs = require('node:fs');
    const lock = '.setup-lock';
    fs.copyFileSync(lock + '/pid', 'owner');
    fs.utimesSync(lock, 0, 0);
    const look = () => (fs.statSync(lock).mtimeMs === 0 ? setTimeout(look, 20) : done());
    const done = () => { ${NPM} };
    look();`,
  );
  await setUp();
  const [pid, where, started] = readFileSync(join(root, 'owner'), 'utf8').split('\n');
  expect(Number(pid)).toBeGreaterThan(0);
  expect(where).toBe(scope);
  expect(started).toMatch(process.platform === 'linux' ? /^\d+$/ : /^$/);
});

test('where all is in place a set-up writes nothing: a clone may be read-only', async () => {
  const { root, installed, setUp } = makeClone();
  writeFileSync(installed, '{"packages":{}}');
  chmodSync(root, 0o555);
  // Root may write all the same, and the time of a folder tells.
  const folders = ['.', 'node_modules', 'scripts', 'shared'].map((folder) => join(root, folder));
  const state = () => folders.map((folder) => [readdirSync(folder), statSync(folder, { bigint: true }).mtimeNs]);
  const before = state();
  await setUp();
  expect(state()).toEqual(before);
});
