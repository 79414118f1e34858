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
}

/** Keeps consumers as the table of sources says: begins, ends, pauses and resumes them, and tells what they do. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #running = new Map<string, Running>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** To be called about once a second. */
  async runOnce(): Promise<void> {
    const sources = await this.#options.load();
    await this.#endOthers(sources);
    for (const source of sources) this.#keep(source);
    for (const { source, work } of this.#running.values()) {
      await work.runOnce().catch((error: unknown) => this.#options.onFailure(`source ${source.name}`, error));
    }
    await this.#options.report(this.#states());
  }

  /** Ends every consumer, within a few seconds. */
  async stop(): Promise<void> {
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
      const running: Running = { source, work, abort, done, isPaused: source.paused, lastKind: 'starting' };
      this.#running.set(source.id, running);
      return running;
    } catch (error) {
      this.#options.onFailure(`source ${source.name}`, error);
      return null;
    }
  }

  async #end(running: Running): Promise<void> {
    this.#running.delete(running.source.id);
    running.abort.abort();
    await running.done;
    await running.work.close();
  }

  #states(): readonly ReportedState[] {
    return [...this.#running.values()].map((running) => {
      const state = running.work.consumer.state();
      if (state.kind !== running.lastKind) this.#options.onChange(running.source, state);
      running.lastKind = state.kind;
      return { sourceNum: running.source.num, ...state, ...running.work.counts() };
    });
  }
}
