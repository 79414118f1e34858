import { existsSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root, SetupError, say } from './clone.mjs';
import { isRunning, processScope, SILENT_MS, startOf } from './processes.mjs';
import { readText } from './read-if-there.mjs';

/** How often a set-up that is at work touches its lock. */
const BEAT_MS = 2_000;

/**
 * One set-up of a clone at a time; one whose process died holds nobody up, once the program that it ran has ended as well. It stands in the clone, where only those who
 * may change it can put one: in the shared temporary folder any account could. Not in `node_modules`, which npm clears.
 */
export async function lock() {
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
