import { setTimeout as delay } from 'node:timers/promises';
import {
  type ProcessExit,
  type ServiceProcess,
  type SpawnedProcess,
  startServiceProcess,
} from '../../support/service-process.ts';

/** How often a process is started before its failing is taken for a fault. */
const STARTS = 5;
const RESTART_MS = 500;

type Env = Readonly<Record<string, string>>;

/** The processes of one role: each has a place, and whoever ends can be started again in the same place. */
export class Crew {
  readonly role: 'api' | 'worker' | 'ingest';
  readonly #env: Env;
  readonly #places: (ServiceProcess | null)[] = [];
  /** Every one that was ever started, those included that do not serve yet or never did. */
  readonly #all: SpawnedProcess[] = [];
  readonly #unended = new Set<SpawnedProcess>();
  readonly #more: Env[] = [];
  #isClosed = false;

  constructor(role: 'api' | 'worker' | 'ingest', env: Env) {
    this.role = role;
    this.#env = env;
  }

  async start(places: number): Promise<void> {
    await Promise.all(Array.from({ length: places }, (_, place) => this.startAt(place)));
  }

  /** @param more environment over everybody's, which holds for later starts at this place too */
  async startAt(place: number, more: Env = this.#more[place] ?? {}): Promise<ServiceProcess> {
    this.#more[place] = more;
    const started = await this.#start({ ...this.#env, ROLES: this.role, ...more });
    this.#places[place] = started;
    void started.exited.then(() => {
      if (this.#places[place] === started) this.#places[place] = null;
    });
    return started;
  }

  /** As a supervisor does it: a start that fails, because Postgres is away just then, is tried again. */
  async #start(env: Env): Promise<ServiceProcess> {
    for (let tries = 1; ; tries++) {
      try {
        return await startServiceProcess(env, { onSpawn: (spawned) => this.#know(spawned) });
      } catch (error) {
        if (tries === STARTS || this.#isClosed) throw error;
        await delay(RESTART_MS);
      }
    }
  }

  #know(spawned: SpawnedProcess): void {
    this.#all.push(spawned);
    this.#unended.add(spawned);
    void spawned.exited.then(() => this.#unended.delete(spawned));
    if (this.#isClosed) spawned.signal('SIGKILL');
  }

  get places(): number {
    return this.#places.length;
  }

  at(place: number): ServiceProcess | null {
    return this.#places[place] ?? null;
  }

  placeOf(process: ServiceProcess): number {
    return this.#places.indexOf(process);
  }

  get living(): ServiceProcess[] {
    return this.#places.filter((each) => each !== null);
  }

  /** Signals whoever is at the place, and waits for the end that follows. Null when nobody is there. */
  async end(place: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<ProcessExit | null> {
    const process = this.at(place);
    return process === null ? null : process.kill(signal);
  }

  /** Starts whoever is missing, as a supervisor does. */
  async startMissing(): Promise<void> {
    for (let place = 0; place < this.#places.length; place++)
      if (this.#places[place] === null) await this.startAt(place);
  }

  /** Ends them all, those that hang or are starting too; none is started any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#all.map((each) => each.kill('SIGKILL')));
  }

  /** Of all that live, those included that are starting, for an end without time to wait. */
  get pids(): number[] {
    return [...this.#unended].map((each) => each.pid);
  }

  /** What they wrote last. */
  logs(): string {
    return this.#all.map((each) => `--- ${this.role} ${each.pid}\n${each.output()}`).join('\n');
  }
}
