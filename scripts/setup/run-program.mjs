import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { root, SetupError } from './clone.mjs';

/** SIGHUP says that the terminal is gone; without one, as under nohup, nobody hangs up (src/await-signal.ts). */
const hasTerminal = [0, 1, 2].some((fd) => isatty(fd));
const STOP_SIGNALS = hasTerminal ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
if (!hasTerminal) process.on('SIGHUP', () => {});
/** The SIGHUP that we let pass goes to our whole process group and would end npm: it gets one of its own. On Windows that would open a window. */
const ownGroup = !hasTerminal && process.platform !== 'win32';

/** Settings of the user's npm by which nothing would be installed, not all, or not where we look for it. */
const OWN_SETTINGS = [
  '--loglevel=error',
  '--bin-links',
  '--no-dry-run',
  '--no-package-lock-only',
  '--no-global',
  '--location=project',
  '--install-strategy=hoisted',
  // It would leave out what only peers ask for.
  '--no-legacy-peer-deps',
];

/** Somebody ended the set-up. */
export class Stopped extends Error {
  constructor(signal) {
    super(signal);
    this.signal = signal;
  }
}

/**
 * Runs the npm that runs us, if one does, in the clone, whatever the user has set there. Its output goes to the terminal.
 * @param held the lock (setup-lock.mjs)
 * @param preloads names of files beside this one that are loaded before the npm that runs us, and not before another
 */
export async function npm(held, args, preloads = []) {
  const cli = process.env.npm_execpath;
  const ours = cli && /npm-cli\.js$/.test(cli);
  const [file, first] = ours
    ? [
        process.env.npm_node_execpath ?? process.execPath,
        [...preloads.flatMap((name) => ['--require', join(root, 'scripts', 'setup', name)]), cli],
      ]
    : ['npm', []];
  const { status, error } = await execute(held, file, [...first, ...args, ...OWN_SETTINGS], {
    cwd: root,
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
export function execute(held, file, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, detached: ownGroup });
    held.tellProgram(child.pid);
    let stoppedBy;
    const stop = (signal) => {
      stoppedBy = signal;
      end(child, signal);
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

/** What it started itself would hear nothing from a terminal either where it has a group of its own. */
function end(child, signal) {
  try {
    if (ownGroup && child.pid) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch (error) {
    // It has just ended.
    if (error.code !== 'ESRCH') throw error;
  }
}

export function runs(file) {
  return spawnSync(file, ['--version']).status === 0;
}
