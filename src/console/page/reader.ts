import type { View } from './view.ts';

const REFRESH_MS = 5_000;
/** From then on it is said that a reading is under way. */
const SLOW_MS = 2_000;

export interface ReaderOptions {
  /** @param isAsked whether the reader waits for it; false where it comes by itself */
  readonly onData: (data: unknown, isAsked: boolean) => void;
  readonly onError: (error: unknown, isAsked: boolean) => void;
  readonly onSlow: () => void;
}

/** Reads one view, again and again while the tab is visible: one timer, and never two readings at once. */
export class Reader {
  readonly #view: View;
  readonly #options: ReaderOptions;
  readonly #ended = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading: AbortController | null = null;
  /** Something was done while a reading was under way, which may not have seen it. */
  #isOwed = false;
  #isAsked = false;

  constructor(view: View, options: ReaderOptions) {
    this.#view = view;
    this.#options = options;
    document.addEventListener('visibilitychange', () => !document.hidden && this.#readSoon(), {
      signal: this.#ended.signal,
    });
  }

  read(): void {
    this.#isAsked = true;
    this.#readSoon();
  }

  /** Likewise, without waiting for the reading that is under way. */
  readAnew(): void {
    this.#reading?.abort();
    this.read();
  }

  end(): void {
    this.#ended.abort();
    clearTimeout(this.#timer);
  }

  #readSoon(): void {
    if (this.#reading !== null) this.#isOwed = true;
    else void this.#readOn();
  }

  async #readOn(): Promise<void> {
    clearTimeout(this.#timer);
    do {
      this.#isOwed = false;
      await this.#readOnce();
    } while (this.#isOwed && !this.#ended.signal.aborted);
    this.#reading = null;
    if (this.#ended.signal.aborted) return;
    // Once the tab is visible again it is read at once.
    this.#timer = setTimeout(() => document.hidden || this.#readOn(), this.#view.refreshMs ?? REFRESH_MS);
  }

  async #readOnce(): Promise<void> {
    const { onData, onError, onSlow } = this.#options;
    this.#reading = new AbortController();
    const signal = AbortSignal.any([this.#ended.signal, this.#reading.signal]);
    const isAsked = this.#isAsked;
    this.#isAsked = false;
    const slow = setTimeout(() => signal.aborted || onSlow(), SLOW_MS);
    try {
      const data = await this.#view.load(signal);
      if (!signal.aborted) onData(data, isAsked);
    } catch (error) {
      if (!signal.aborted) onError(error, isAsked);
    } finally {
      clearTimeout(slow);
    }
  }
}
