/**
 * Calls back once, when a time has passed and what the sockets have to say by then has been heard. Timers come before sockets: where the process stood
 * still, connections that were made meanwhile would be given up as late.
 */
export class UnhurriedTimer {
  readonly #timer: NodeJS.Timeout;
  #calling: NodeJS.Immediate | undefined;

  constructor(callback: () => void, ms: number) {
    this.#timer = setTimeout(() => {
      this.#calling = setImmediate(callback);
    }, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#calling);
  }
}
