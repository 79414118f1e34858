import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/free-port.ts';
import { startArguments } from '../../support/start-arguments.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const ARGUMENTS = startArguments();
const CA = fileURLToPath(new URL('../../../src/delivery/fixtures/ca.pem', import.meta.url));
const START_MS = 60_000;
const KEPT = 16_384;

export const OPERATOR_KEY = 'pho_bench_operator_key_0123456789';

/** Workers beyond the first have a number. */
export type Role = 'posthorn' | 'api' | 'worker' | `worker${number}`;

/** The role without its number. */
export const kindOf = (role: Role): string => role.replace(/[0-9]+$/, '');

export interface Profile {
  readonly dir: string;
  /** What the files' names begin with. */
  readonly name: string;
}

export interface SystemSpec {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly layout: 'split' | 'one';
  /** Where `--cpu-prof` goes, or null. */
  readonly profile: Profile | null;
  /** Whether it accepts the certificate of a sink that speaks TLS. */
  readonly trustsSink: boolean;
}

/** Posthorn as users run it: defaults everywhere, logs at `info` into a pipe that somebody empties. */
export class System {
  readonly #spec: SystemSpec;
  readonly #apiPort: number;
  readonly #running = new Map<Role, Running>();

  private constructor(spec: SystemSpec, apiPort: number) {
    this.#spec = spec;
    this.#apiPort = apiPort;
  }

  /** Nothing runs yet. */
  static async prepare(spec: SystemSpec): Promise<System> {
    return new System(spec, await freePort());
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  get roles(): readonly Role[] {
    return this.#spec.layout === 'one' ? ['posthorn'] : ['api', 'worker'];
  }

  /** The processes that run now. */
  get pids(): ReadonlyMap<Role, number> {
    return new Map([...this.#running].map(([role, { child }]) => [role, child.pid!]));
  }

  /** Where each process answers `/metrics`. */
  get ports(): ReadonlyMap<Role, number> {
    return new Map([...this.#running].map(([role, { port }]) => [role, port]));
  }

  /** @throws Error with what it wrote last, when it ends instead. */
  async start(role: Role): Promise<void> {
    const running = new Running(role, this.#spec, role.startsWith('worker') ? 0 : this.#apiPort);
    this.#running.set(role, running);
    await running.started;
  }

  /** Ends it as an operator does, with SIGTERM. @throws Error when it does not end well. */
  async stop(role: Role): Promise<void> {
    const running = this.#running.get(role);
    this.#running.delete(role);
    await running?.stop();
  }

  /** Holds the process still (SIGSTOP) until `thaw`. */
  freeze(role: Role): void {
    this.#running.get(role)!.child.kill('SIGSTOP');
  }

  thaw(role: Role): void {
    this.#running.get(role)!.child.kill('SIGCONT');
  }

  async stopAll(): Promise<void> {
    const ends = await Promise.allSettled([...this.#running.keys()].map((role) => this.stop(role)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }
}

class Running {
  readonly child: ChildProcess;
  readonly started: Promise<void>;
  port = 0;
  readonly #role: Role;
  readonly #exited: Promise<[number | null, NodeJS.Signals | null]>;
  #tail = '';

  constructor(role: Role, spec: SystemSpec, port: number) {
    this.#role = role;
    this.child = spawn(process.execPath, [...profileArguments(role, spec.profile), ...ARGUMENTS], {
      cwd: ROOT,
      env: environmentOf(role, spec, port),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = once(this.child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    this.started = this.#awaitStart();
    this.started.catch(() => {});
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGTERM');
    const [code, signal] = await this.#exited;
    if (code !== 0) throw new Error(`${this.#role} ended with ${signal ?? `exit code ${code}`}:\n${this.#tail}`);
  }

  async #awaitStart(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`${this.#role} did not start:\n${this.#tail}`)), START_MS);
    let isStarted = false;
    const onData = (chunk: Buffer) => {
      // Decoding what nobody reads would take the machine's time; a failure shows in the last block.
      this.#tail = isStarted
        ? chunk.toString('latin1', Math.max(0, chunk.length - KEPT))
        : (this.#tail + chunk.toString()).slice(-KEPT);
      const line = isStarted ? null : /\{[^\n]*"event":"service\.started"[^\n]*\}/.exec(this.#tail);
      if (!line) return;
      isStarted = true;
      this.port = (JSON.parse(line[0]) as { port: number }).port;
      resolve();
    };
    this.child.stdout!.on('data', onData);
    this.child.stderr!.on('data', onData);
    void this.#exited.then(([code]) => reject(new Error(`${this.#role} ended with ${code}:\n${this.#tail}`)));
    await promise.finally(() => clearTimeout(timer));
  }
}

/** Written when the process ends, from its start to its end; of one that is started twice there are two. */
function profileArguments(role: Role, profile: Profile | null): string[] {
  if (profile === null) return [];
  const name = `${profile.name}-${role}-${Date.now()}.cpuprofile`;
  return ['--cpu-prof', `--cpu-prof-dir=${profile.dir}`, `--cpu-prof-name=${name}`];
}

function environmentOf(role: Role, { databaseUrl, redisUrl, trustsSink }: SystemSpec, port: number): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    DATABASE_URL: databaseUrl,
    ...(redisUrl === undefined
      ? {}
      : { REDIS_URL: redisUrl, REDIS_PREFIX: `{${new URL(databaseUrl).pathname.slice(1)}}` }),
    ROLES: role === 'posthorn' ? 'api,worker' : kindOf(role),
    OPERATOR_KEY,
    MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
    PORT: String(port),
    ALLOWED_NETWORKS: '127.0.0.0/8',
    LOG_LEVEL: 'info',
    ...(trustsSink ? { NODE_EXTRA_CA_CERTS: CA } : {}),
  };
}
