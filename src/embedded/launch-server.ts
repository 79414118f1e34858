import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterPlace } from './cluster-place.ts';
import { explainFailure } from './embedded-error.ts';
import { readPostmasterFile } from './postmaster-file.ts';
import { spawnAs } from './run-program.ts';
import type { ServerBinaries } from './server-binaries.ts';
import { openServerLog, type ServerLog } from './server-log.ts';
import { settingArguments } from './server-settings.ts';
import { AT_ONCE, stopServer } from './stop-server.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server that accepts connections. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  readonly exited: Promise<Exit>;
}

export interface LaunchOptions {
  readonly place: ClusterPlace;
  readonly binaries: ServerBinaries;
  readonly logPath: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  /** Aborts the start. Aborted also when `lost` is. */
  readonly signal: AbortSignal;
  /** Aborted when the folder is another's. */
  readonly lost: AbortSignal;
}

/** Reasons that pass by themselves: another program took the port, or sessions of a killed server are still ending. */
const PASSING =
  /could not bind|could not create any TCP\/IP sockets|pre-existing shared memory block|lock file "postmaster.pid"/;
const PASSING_FOR_MS = 15_000;
const TELL_EVERY_MS = 5_000;

/**
 * Starts the server on a free port and waits until it accepts connections, however long its crash recovery takes.
 * @throws EmbeddedPostgresError with what the server said; the signal's reason when aborted.
 */
export async function launchServer(options: LaunchOptions): Promise<RunningServer> {
  const giveUpAt = performance.now() + PASSING_FOR_MS;
  for (;;) {
    const attempt = await attemptLaunch(options);
    if ('running' in attempt) return attempt.running;
    options.signal.throwIfAborted();
    if (!PASSING.test(attempt.said) || performance.now() > giveUpAt) {
      throw explainFailure(
        'start the embedded Postgres',
        options.place.base,
        `${attempt.said}\n(from ${options.logPath})`,
      );
    }
    await delay(200);
  }
}

async function attemptLaunch(options: LaunchOptions): Promise<{ running: RunningServer } | { said: string }> {
  const port = await freePort();
  const log = await openServerLog(options.logPath);
  const child = spawnServer(options, port, log);
  const exited = exitOf(child);
  const { pid } = child;
  if (pid !== undefined && (await becomesReady(options, pid, exited))) {
    void exited.then(() => log.close()).catch(() => undefined);
    return { running: { pid, port, exited } };
  }
  const { code, signal } = await exited;
  const said = await log.tail().finally(() => log.close());
  return { said: said || `It ended with ${signal ?? `code ${code}`} and said nothing.` };
}

function spawnServer({ place, binaries, settings }: LaunchOptions, port: number, log: ServerLog): ChildProcess {
  return spawn(binaries.postgres, ['-D', place.cluster, ...settingArguments(port, settings)], {
    ...spawnAs(place.account),
    // A session of its own: Ctrl-C in a terminal goes to the whole process group, and Postgres has to outlive the service.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.on('error', () => resolve({ code: null, signal: null }));
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** False when the server has ended instead, by itself or because the start was aborted. */
async function becomesReady(
  { place, log, signal, lost }: LaunchOptions,
  pid: number,
  exited: Promise<Exit>,
): Promise<boolean> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  let tellAt = performance.now() + TELL_EVERY_MS;
  while (!ended) {
    if (signal.aborted) {
      await endStart(pid, exited, lost);
      return false;
    }
    const file = await readPostmasterFile(place.cluster).catch(() => null);
    if (file?.pid === pid && file.ready) return true;
    if (performance.now() > tellAt) {
      log('Postgres is still starting; after a crash it first recovers.');
      tellAt = performance.now() + TELL_EVERY_MS;
    }
    await delay(20);
  }
  return false;
}

/** Mildly, but at once where the folder is lost, or is lost meanwhile: another server may be writing to the same files. */
async function endStart(pid: number, exited: Promise<Exit>, lost: AbortSignal): Promise<void> {
  const { promise: fenced, resolve, reject } = Promise.withResolvers<unknown>();
  const fence = () => void stopServer(pid, exited, AT_ONCE).then(resolve, reject);
  if (lost.aborted) fence();
  else lost.addEventListener('abort', fence, { once: true });
  await Promise.race(lost.aborted ? [fenced] : [fenced, stopServer(pid, exited)]);
  lost.removeEventListener('abort', fence);
}

/** Someone else may take the port before the server does; the caller then tries another. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address with a port');
  return address.port;
}
