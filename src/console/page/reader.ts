import type { View } from './view.ts';

const REFRESH_MS = 5_000;

export interface ReaderOptions {
  readonly onData: (data: unknown) => void;
  readonly onError: (error: unknown) => void;
}

/** Reads one view, again and again while the tab is visible: one timer, and never two readings at once. */
export class Reader {
  readonly #view: View;
  readonly #options: ReaderOptions;
  readonly #ended = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  /** Something was done while a reading was under way, which may not have seen it. */
  #isOwed = false;

  constructor(view: View, options: ReaderOptions) {
    this.#view = view;
    this.#options = options;
    document.addEventListener('visibilitychange', () => !document.hidden && this.read(), {
      signal: this.#ended.signal,
    });
  }

  read(): void {
    if (this.#isReading) this.#isOwed = true;
    else void this.#readOn();
  }

  end(): void {
    this.#ended.abort();
    clearTimeout(this.#timer);
  }

  async #readOn(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isReading = true;
    try {
      do {
        this.#isOwed = false;
        await this.#readOnce();
      } while (this.#isOwed && !this.#ended.signal.aborted);
    } finally {
      this.#isReading = false;
    }
    if (this.#ended.signal.aborted) return;
    // Once the tab is visible again it is read at once.
    this.#timer = setTimeout(() => document.hidden || this.#readOn(), this.#view.refreshMs ?? REFRESH_MS);
  }

  async #readOnce(): Promise<void> {
    const { signal } = this.#ended;
    try {
      const data = await this.#view.load(signal);
      if (!signal.aborted) this.#options.onData(data);
    } catch (error) {
      if (!signal.aborted) this.#options.onError(error);
    }
  }
}
