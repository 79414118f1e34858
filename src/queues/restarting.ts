/** A queue or a worker of BullMQ's. */
export interface Startable {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

export interface RestartingOptions<T extends Startable> {
  readonly build: () => T;
  /** What is done with one that has started: resolves when nothing is left to do, rejects when it is of no use any more. */
  readonly use: (started: T) => Promise<void>;
  readonly onError: (error: Error) => void;
}

/** How long to wait before the next one is built, in ms: what made the start of the last one fail is seldom over at once. */
const PAUSE_MS = 1_000;

/**
 * Builds a queue or worker, and builds it anew when its start fails, as often as it takes. BullMQ keeps the failure of a start for
 * good, on Redis and on Postgres: what is asked of it afterwards fails with it, and a worker that fetches jobs asks without a pause
 * that would let the process do anything else.
 */
export class Restarting<T extends Startable> {
  readonly #options: RestartingOptions<T>;
  #current: T;
  #isClosed = false;

  constructor(options: RestartingOptions<T>) {
    this.#options = options;
    this.#current = options.build();
    void this.#run();
  }

  /** The one that was built last. If its start has failed, every call of it fails until it is replaced. */
  get current(): T {
    return this.#current;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#current.close();
  }

  async #run(): Promise<void> {
    const { build, onError } = this.#options;
    while (!(await this.#serves(this.#current))) {
      this.#current.close().catch(onError);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      if (this.#isClosed) return;
      this.#current = build();
    }
  }

  /** @returns false when another has to be built */
  async #serves(current: T): Promise<boolean> {
    try {
      await current.waitUntilReady();
      if (!this.#isClosed) await this.#options.use(current);
      return true;
    } catch (error) {
      if (this.#isClosed) return true;
      this.#options.onError(error as Error);
      return false;
    }
  }
}
