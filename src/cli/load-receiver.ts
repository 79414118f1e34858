import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { SinkCommand, SinkReport } from './load-sink.ts';

/** How long nothing may come before what is missing is given up, in ms. */
const QUIET_MS = 120_000;

/** The receiver of a load, in a process of its own. */
export class LoadReceiver {
  readonly #child: ChildProcess;
  readonly #quietMs: number;
  report: SinkReport = { port: 0, requests: 0, delivered: 0, unverified: 0 };
  /** Its port. Rejects when it ends before it has one. */
  readonly ready: Promise<number>;
  /** Rejects when it ends; never resolves. */
  readonly #gone: Promise<never>;
  #onReport: () => void = () => {};

  constructor(script: URL, quietMs = QUIET_MS) {
    this.#quietMs = quietMs;
    this.#child = fork(script, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#gone = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`The receiver ended with ${signal ?? `exit code ${code}`}.`);
    });
    this.#gone.catch(() => {});
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ready = Promise.race([promise, this.#gone]);
    this.ready.catch(() => {});
    this.#child.on('message', (message: SinkReport) => {
      this.report = message;
      resolve(message.port);
      this.#onReport();
    });
  }

  trust(secrets: SinkCommand['secrets']): void {
    this.#child.send({ secrets } satisfies SinkCommand);
  }

  /**
   * Resolves when so many deliveries came, or none came for a long time. A report later, so that a duplicate would show.
   * @throws Error when the receiver ends meanwhile
   */
  async reaches(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const quiet = setTimeout(resolve, this.#quietMs);
    let before = this.report.delivered;
    this.#onReport = () => {
      const { delivered } = this.report;
      if (delivered >= count) resolve();
      if (delivered > before) quiet.refresh();
      before = delivered;
    };
    try {
      await Promise.race([promise, this.#gone]);
      await Promise.race([once(this.#child, 'message'), this.#gone]);
    } finally {
      clearTimeout(quiet);
      this.#onReport = () => {};
    }
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
