import type { OpenSource } from '../store/sources.ts';
import type { Consumer, ConsumerState } from './consumer.ts';

/** A source that this process consumes. */
export interface SourceWork {
  readonly consumer: Consumer;
  /** What it took in since it began here. */
  readonly counts: () => { readonly events: number; readonly duplicates: number; readonly rejected: number };
  /** Everything beside the messages that come: those that are to be tried again, those that are to be published. */
  readonly runOnce: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface SupervisorOptions {
  readonly load: () => Promise<readonly OpenSource[]>;
  readonly begin: (source: OpenSource) => SourceWork;
  readonly report: (states: readonly ReportedState[]) => Promise<void>;
  readonly onChange: (source: OpenSource, state: ConsumerState) => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** What is told of a source in this process: what `/v1/sources` shows. */
export interface ReportedState extends ConsumerState, ReturnType<SourceWork['counts']> {
  readonly sourceNum: number;
}

interface Running {
  readonly source: OpenSource;
  readonly work: SourceWork;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  isPaused: boolean;
  lastKind: ConsumerState['kind'];
  /** What was told to keep it since it does what it does now. */
  readonly errors: Set<string | null>;
}

/** How long a consumer has to end. One that has not by then is left behind: what it still takes in is known by its place. */
const END_MS = 10_000;

/** Errors that are told of a source while it fails: some name ports or times, and are others each time. */
const MOST_ERRORS = 10;

/** Keeps consumers as the table of sources says: begins, ends, pauses and resumes them, and tells what they do. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #running = new Map<string, Running>();
  #isStopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** To be called about once a second. */
  async runOnce(): Promise<void> {
    const sources = await this.#options.load();
    await this.#endOthers(sources);
    for (const source of sources) this.#keep(source);
    await this.#options.report(this.#states());
  }

  /**
   * Everything beside the messages that come, source by source, so that few connections to Postgres are held. Apart from `runOnce`: a broker
   * that takes its time over dead letters holds up no pause and no other source's consumer. To be called about once a second.
   */
  async runWork(): Promise<void> {
    for (const [id, running] of [...this.#running]) {
      if (this.#isStopped || this.#running.get(id) !== running) continue;
      const { source, work } = running;
      await work.runOnce().catch((error: unknown) => this.#options.onFailure(`source ${source.name}`, error));
      // It has ended meanwhile, and what was opened since is to be closed, too.
      if (this.#running.get(id) !== running) await work.close();
    }
  }

  /** Ends every consumer, within a few seconds. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#running.values()].map((running) => this.#end(running)));
  }

  async #endOthers(sources: readonly OpenSource[]): Promise<void> {
    const wanted = new Map(sources.map(({ id, version }) => [id, version]));
    const others = [...this.#running.values()].filter(({ source }) => wanted.get(source.id) !== source.version);
    await Promise.all(others.map((running) => this.#end(running)));
  }

  #keep(source: OpenSource): void {
    const running = this.#running.get(source.id) ?? this.#begin(source);
    if (running === null || running.isPaused === source.paused) return;
    running.isPaused = source.paused;
    if (source.paused) running.work.consumer.pause();
    else running.work.consumer.resume();
  }

  #begin(source: OpenSource): Running | null {
    try {
      const work = this.#options.begin(source);
      if (source.paused) work.consumer.pause();
      const abort = new AbortController();
      const done = work.consumer.run(abort.signal);
      const running: Running = {
        source,
        work,
        abort,
        done,
        isPaused: source.paused,
        lastKind: 'starting',
        errors: new Set(),
      };
      this.#running.set(source.id, running);
      return running;
    } catch (error) {
      this.#options.onFailure(`source ${source.name}`, error);
      return null;
    }
  }

  async #end(running: Running): Promise<void> {
    this.#running.delete(running.source.id);
    const { source, work, abort, done } = running;
    abort.abort();
    if (!(await isWithin(END_MS, done)))
      this.#options.onFailure(`source ${source.name}`, new Error(`Its consumer did not end within ${END_MS} ms.`));
    await work.close();
  }

  #states(): readonly ReportedState[] {
    return [...this.#running.values()].map((running) => {
      const state = running.work.consumer.state();
      if (isNews(running, state)) this.#options.onChange(running.source, state);
      return { sourceNum: running.source.num, ...state, ...running.work.counts() };
    });
  }
}

/** Whether it does something else, or something else keeps it: a lost connection may be told first, and then that the password is wrong. */
function isNews(running: Running, { kind, error }: ConsumerState): boolean {
  const { errors, lastKind } = running;
  if (kind !== lastKind) errors.clear();
  else if (kind !== 'failing' || errors.has(error) || errors.size >= MOST_ERRORS) return false;
  running.lastKind = kind;
  errors.add(error);
  return true;
}

async function isWithin(ms: number, done: Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  return Promise.race([done.then(() => true), late.promise]).finally(() => clearTimeout(timer));
}
