const PAUSE_AFTER_FAILURE_MS = 200;

export interface RoundPumpOptions {
  readonly round: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** Runs rounds of work one at a time, for as long as somebody asks for another; one that fails is tried again after a pause. */
export class RoundPump {
  readonly #options: RoundPumpOptions;
  #isKicked = false;
  #isStopped = false;
  #roundAt = performance.now();
  /** Whether a round is under way. */
  isRunning = false;

  constructor(options: RoundPumpOptions) {
    this.#options = options;
  }

  /** Asks for a round: what was asked for during one comes after it. */
  kick(): void {
    this.#isKicked = true;
    if (!this.isRunning) void this.#run();
  }

  /** No round begins any more; the one under way ends. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The round under way got on: what is to come of it has time of its own. */
  gotOn(): void {
    this.#roundAt = performance.now();
  }

  /** Milliseconds since a round ended or got on, while one is under way; 0 when there is nothing to do. */
  get stalledMs(): number {
    return this.isRunning ? performance.now() - this.#roundAt : 0;
  }

  async #run(): Promise<void> {
    this.isRunning = true;
    this.#roundAt = performance.now();
    while (this.#isKicked && !this.#isStopped) {
      this.#isKicked = false;
      try {
        await this.#options.round();
        this.#roundAt = performance.now();
      } catch (error) {
        this.#options.onFailure(error);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
        this.#isKicked = true;
      }
    }
    this.isRunning = false;
  }
}
