// Makes a clone ready to run: packages, Node 26, Prisma client. Called before every npm script that needs them.
// It runs on the stock Node of a fresh machine (20 or later), with no packages: nothing but node:* may be imported, and no TypeScript.
// When all is in place it only compares a few files.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = 20;
const WANTED_NODE = 26;
/** How often a set-up that is at work touches its lock. */
const BEAT_MS = 2_000;
/** One that we cannot look up, and that has not touched its lock for so long, has died. */
const SILENT_MS = 60_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
/** What npm scripts find first on their PATH. */
const nodeBinary =
  process.platform === 'win32' ? join(modules, 'node', 'bin', 'node.exe') : join(modules, '.bin', 'node');
const schema = join(root, 'prisma', 'schema.prisma');
const generated = join(root, 'src', 'store', 'generated');
const stamp = join(generated, '.made-from');

/** One step of the set-up. `isDone` is cheap; `run` rejects with a SetupError or leaves `isDone` true. It leaves the thread alone meanwhile, which touches the lock. */
const steps = [
  { isDone: packagesMatchLock, run: installPackages },
  { isDone: hasNode, run: installNode },
  { isDone: clientMatchesSchema, run: generateClient },
];

class SetupError extends Error {}

try {
  await setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\nposthorn: ${error.message}`);
  process.exitCode = 1;
}

async function setUp() {
  if (nodeMajor(process.version) < OLDEST_NODE) {
    throw new SetupError(
      `this is Node ${process.version}; Posthorn wants Node ${OLDEST_NODE} or later to install itself.`,
    );
  }
  if (steps.every((step) => step.isDone())) return;
  const unlock = await lock();
  try {
    // Another set-up may have done some of it while this one waited.
    for (const step of steps) if (!step.isDone()) await step.run();
  } finally {
    unlock();
  }
}

/** Whether npm installed what the lock file says. npm's own record of it is written last, so it is missing after an interruption. */
function packagesMatchLock() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const installed = readJson(join(modules, '.package-lock.json'))?.packages;
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = installed[path];
    // Packages of other platforms are optional and never there.
    if (path === '' || (found === undefined && optional)) return true;
    return found?.version === version && (!integrity || !found.integrity || found.integrity === integrity);
  });
}

async function installPackages() {
  say('installing packages (npm ci); the first time this takes half a minute or so');
  // NODE_ENV=production would leave out Node 26 and Prisma's generator, which are what this is for.
  if (!(await npm(root, 'ci', '--include=dev', '--loglevel=error', '--no-audit', '--no-fund'))) {
    throw new SetupError(
      'npm ci failed; what it said is above. Without a connection to the package registry it cannot work.',
    );
  }
}

/** The npm package `node` puts Node 26 first on the PATH of npm scripts; a stock Node that is new enough will do as well. */
function hasNode() {
  return existsSync(nodeBinary) || nodeMajor(process.version) >= WANTED_NODE;
}

/** Runs the install script of the package `node`, for an npm that did not (ignore-scripts), and links what it brought. */
async function installNode() {
  say(`installing Node ${WANTED_NODE}`);
  if ((await npm(root, 'rebuild', 'node', '--ignore-scripts=false', '--loglevel=error')) && runs(nodeBinary)) return;
  throw new SetupError(
    `the npm package node could not be installed for ${process.platform}-${process.arch}. ` +
      `Install Node ${WANTED_NODE} yourself, or let npm run the install script of that package.`,
  );
}

function clientMatchesSchema() {
  return !existsSync(schema) || readText(stamp) === clientStamp();
}

/** What the client is made from: the schema and the version of the generator. */
function clientStamp() {
  const version = readJson(join(modules, 'prisma', 'package.json'))?.version;
  return createHash('sha256').update(`${version}\n`).update(readFileSync(schema)).digest('hex');
}

async function generateClient() {
  say('generating the database client');
  rmSync(stamp, { force: true });
  const node = existsSync(nodeBinary) ? nodeBinary : process.execPath;
  const { status, output } = await execute(
    node,
    [join(modules, 'prisma', 'build', 'index.js'), 'generate', '--schema', schema],
    {
      cwd: root,
      // Prisma downloads its schema engine even where it is not needed; told of any existing file, it does not.
      env: {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    },
  );
  if (status !== 0) throw new SetupError(`prisma generate failed:\n${output}`);
  writeFileSync(stamp, clientStamp());
}

/**
 * One set-up of a clone at a time; one whose process died holds nobody up. Resolves with the function that ends it. It stands in the clone, where only those who
 * may change it can put one: in the shared temporary folder any account could. Not in `node_modules`, which npm clears.
 */
async function lock() {
  const path = join(root, '.setup-lock');
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(path, { mode: 0o755 });
      writeFileSync(join(path, 'pid'), [process.pid, processScope(), startOf(process.pid)].join('\n'));
      return hold(path);
    } catch (error) {
      if (error.code !== 'EEXIST') throw new SetupError(`cannot write to ${root}: ${error.message}`);
    }
    if (isAbandoned(path)) discard(path);
    else if (!waited) say(`waiting for another set-up of this folder; if there is none, delete ${path}`);
    await delay(200);
  }
}

function hold(path) {
  const beat = setInterval(() => touch(path), BEAT_MS);
  beat.unref();
  return () => {
    clearInterval(beat);
    rmSync(path, { recursive: true, force: true });
  };
}

function touch(path) {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Someone deleted it.
  }
}

/**
 * Process numbers repeat, above all from one container to the next: an owner is known by when it started as well, where it is one of those that we can look up,
 * and else by whether it touches the lock (src/embedded/owner-lock.ts).
 */
function isAbandoned(path) {
  const silentMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  const [pid, scope, started] = (readText(join(path, 'pid')) ?? '').split('\n');
  // Its owner may be about to write its number.
  if (!pid) return silentMs > 5_000;
  if (scope !== processScope()) return silentMs > SILENT_MS;
  if (started) return startOf(pid) !== started;
  return silentMs > SILENT_MS || !isAlive(Number(pid));
}

/** Names the set of processes that we can look up: this boot of this machine, and within it this container. */
function processScope() {
  if (process.platform !== 'linux') return hostname();
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** When the process started, after the machine; empty where it does not run, or the system does not say. Fields count from the last parenthesis (proc(5)). */
function startOf(pid) {
  const stat = process.platform === 'linux' ? readText(`/proc/${pid}/stat`) : null;
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
}

/** Renaming first: of several that find it abandoned, one removes it. */
function discard(path) {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'ENOENT')
      throw new SetupError(`cannot remove ${path}, left by an interrupted set-up: ${error.message}`);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs the npm that runs us, if one does. Its output goes to the terminal. */
async function npm(cwd, ...args) {
  const cli = process.env.npm_execpath;
  const ours = cli && /npm-cli\.js$/.test(cli);
  const [file, first] = ours ? [process.env.npm_node_execpath ?? process.execPath, [cli]] : ['npm', []];
  const { status, error } = await execute(file, [...first, ...args], {
    cwd,
    stdio: 'inherit',
    shell: !ours && process.platform === 'win32',
  });
  if (error) throw new SetupError(`cannot run npm: ${error.message}`);
  return status === 0;
}

/** Resolves when the program has ended: with its `status`, and its `output` unless that goes elsewhere; with an `error` where it cannot be run. */
function execute(file, args, options) {
  return new Promise((resolve) => {
    const child = spawn(file, args, options);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.on('error', (error) => resolve({ status: null, output: error.message, error }));
    child.on('close', (status) => resolve({ status, output }));
  });
}

function runs(file) {
  return spawnSync(file, ['--version']).status === 0;
}

function nodeMajor(version) {
  return Number(version.slice(1).split('.')[0]);
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

function say(text) {
  console.log(`posthorn: ${text}`);
}
