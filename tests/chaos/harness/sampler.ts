import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type Verdict, verdict } from './judge.ts';
import type { Play } from './play.ts';

/** Stated caps (I9), for the load of the harness. */
const CAPS = {
  /** Of each process, in MB, whatever the load: buffers of 64 MB on either side, and a heap that is cleaned when it has to be. */
  rssMb: 640,
  /** Open files and sockets of each process, unless the scenario says more. */
  files: 700,
  /** Each process: 8 + 6 + 3 in its pools, and the queues' own. */
  connectionsPerProcess: 30,
  redisMb: 64,
};

type Measure = 'apiMb' | 'workerMb' | 'files' | 'connections' | 'redisMb';

const SAMPLE_MS = 500;
const MB = 1024 * 1024;

/** Looks at the processes twice a second for as long as the run lasts. */
export class Sampler {
  readonly #play: Play;
  readonly #filesCap: number;
  readonly #most = { apiMb: 0, workerMb: 0, files: 0, connections: 0, redisMb: 0 };
  readonly #pg: pg.Pool;
  #timer: NodeJS.Timeout | undefined;
  #isSampling = false;

  constructor(play: Play, filesCap = CAPS.files) {
    this.#play = play;
    this.#filesCap = filesCap;
    this.#pg = new pg.Pool({
      connectionString: play.servers.postgres.url,
      application_name: 'chaos-sampler',
      max: 1,
      connectionTimeoutMillis: 1_000,
      query_timeout: 1_000,
    });
    this.#pg.on('error', () => {});
  }

  start(): void {
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pg.end().catch(() => {});
  }

  verdict(): Verdict {
    const { apis, workers } = this.#play;
    const connectionCap = CAPS.connectionsPerProcess * (apis.places + workers.places);
    const { apiMb, workerMb, files, connections, redisMb } = this.#most;
    const measured: [string, number, number][] = [
      ['MB of RSS in an api', apiMb, CAPS.rssMb],
      ['MB of RSS in a worker', workerMb, CAPS.rssMb],
      ['files and sockets of a process', files, this.#filesCap],
      ['connections at Postgres', connections, connectionCap],
      ['MB in Redis', redisMb, CAPS.redisMb],
    ];
    const faults = measured
      .filter(([, most, cap]) => most > cap)
      .map(([what, most, cap]) => `${most} ${what}, cap ${cap}`);
    return verdict(
      'I9 memory, files and connections stayed under their caps',
      faults,
      measured.map(([what, most, cap]) => `${most} ${what} (cap ${cap})`).join(', '),
    );
  }

  async #sample(): Promise<void> {
    for (const { pid } of this.#play.apis.living) this.#look(pid, 'apiMb');
    for (const { pid } of this.#play.workers.living) this.#look(pid, 'workerMb');
    if (this.#isSampling) return;
    this.#isSampling = true;
    await Promise.all([this.#connections(), this.#redis()]);
    this.#isSampling = false;
  }

  #look(pid: number, memory: 'apiMb' | 'workerMb'): void {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      this.#max(memory, Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024));
      this.#max('files', readdirSync(`/proc/${pid}/fd`).length);
    } catch {
      // It ended meanwhile, or the system has no /proc.
    }
  }

  async #connections(): Promise<void> {
    const text = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'chaos-sampler'`;
    const answer = await this.#pg.query(text).catch(() => null);
    this.#max('connections', answer?.rows[0].count ?? 0);
  }

  async #redis(): Promise<void> {
    // A Redis that hangs would hold up the rest.
    const asked = this.#play.servers.redis?.command('INFO memory').catch(() => '');
    const memory = await Promise.race([asked, delay(SAMPLE_MS, '', { ref: false })]);
    this.#max('redisMb', Math.round(Number(/used_memory:(\d+)/.exec(memory ?? '')?.[1] ?? 0) / MB));
  }

  #max(what: Measure, value: number): void {
    this.#most[what] = Math.max(this.#most[what], value);
  }
}
