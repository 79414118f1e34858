import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from './patience.ts';
import { startArguments } from './start-arguments.ts';

const ARGUMENTS = startArguments();
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Lines that are kept for the message of a failed test: of what there is a line per event, none. */
const KEPT_LINES = 100;
const ROUTINE = /"event":"(event\.accepted|attempt\.finished)"/;

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Posthorn as operators run it: a process of its own, started as `npm start` does. */
export interface ServiceProcess {
  readonly pid: number;
  /** `http://127.0.0.1:port`. */
  readonly baseUrl: string;
  readonly exited: Promise<ProcessExit>;
  /** The last lines that it wrote, standard error included; without the lines of single events and attempts. */
  output(): string;
  /** Resolves with the first line, kept or to come, that says so. */
  said(what: RegExp, withinMs?: number): Promise<string>;
  /** Nobody reads its standard output any more, as with `| head`. */
  closeOutput(): void;
  /** Does nothing once it has ended. */
  kill(signal: NodeJS.Signals): Promise<ProcessExit>;
  signal(signal: NodeJS.Signals): void;
}

/** A process that may not serve yet. */
export type SpawnedProcess = Omit<ServiceProcess, 'baseUrl'>;

export interface StartOptions {
  /** Told of the process as soon as there is one: whoever ends it all must know those that are starting, too. */
  readonly onSpawn?: (spawned: SpawnedProcess) => void;
  readonly withinMs?: number;
}

/**
 * Starts the process and resolves when it serves.
 * @throws Error with its output when it ends instead, or takes too long: no process is left then
 */
export async function startServiceProcess(
  env: Readonly<Record<string, string>>,
  { onSpawn, withinMs }: StartOptions = {},
): Promise<ServiceProcess> {
  const child = new Child(env);
  onSpawn?.(child);
  try {
    const { port } = JSON.parse(
      await Promise.race([child.said(/"event":"service\.started"/, withinMs), endedInstead(child)]),
    ) as { port: number };
    return Object.assign(child, { baseUrl: `http://127.0.0.1:${port}` });
  } catch (error) {
    // Nobody has it to end it: it would go on beside whatever is started next.
    await child.kill('SIGKILL');
    throw error;
  }
}

async function endedInstead(child: SpawnedProcess): Promise<never> {
  const { code, signal } = await child.exited;
  throw new Error(`The service ended at its start (${signal ?? `exit code ${code}`}):\n${child.output()}`);
}

/** Runs a process that is expected to end by itself. */
export async function runServiceProcess(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<ProcessExit & { output: string }> {
  const child = new Child(env, args);
  const timer = setTimeout(() => child.signal('SIGKILL'), PATIENCE_MS);
  const exit = await child.exited;
  clearTimeout(timer);
  return { ...exit, output: child.output() };
}

class Child {
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();
  #hasEnded = false;

  constructor(env: Readonly<Record<string, string>>, args: readonly string[] = []) {
    this.#child = spawn(process.execPath, [...ARGUMENTS, ...args], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) this.#read(stream);
    // `close` comes after the last line; `exit` may not.
    this.exited = once(this.#child, 'close').then(([code, signal]) => {
      this.#hasEnded = true;
      return { code, signal };
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  output(): string {
    return this.#lines.join('\n');
  }

  said(what: RegExp, withinMs = PATIENCE_MS): Promise<string> {
    const known = this.#lines.find((line) => what.test(line));
    if (known !== undefined) return Promise.resolve(known);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const late = () => reject(new Error(`The service never said ${what}:\n${this.output()}`));
    const timer = setTimeout(late, withinMs);
    const listener = (line: string) => what.test(line) && resolve(line);
    this.#listeners.add(listener);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#listeners.delete(listener);
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  closeOutput(): void {
    this.#child.stdout!.destroy();
  }

  kill(signal: NodeJS.Signals): Promise<ProcessExit> {
    this.signal(signal);
    return this.exited;
  }

  #read(stream: NodeJS.ReadableStream): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (!ROUTINE.test(line)) this.#lines.push(line);
        for (const listener of this.#listeners) listener(line);
      }
      if (this.#lines.length > KEPT_LINES) this.#lines.splice(0, this.#lines.length - KEPT_LINES);
    });
    stream.on('end', () => rest !== '' && this.#lines.push(rest));
  }
}
