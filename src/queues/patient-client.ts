import pg from 'pg';

/** A client whose errors do not end the process while nobody listens for them: the first is kept, and told to whoever listens next. */
export class PatientClient extends pg.Client {
  #untold: Error | undefined;

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'error' || this.listenerCount('error') > 0) return super.emit(event as 'error', ...(args as [Error]));
    this.#untold ??= args[0] as Error;
    return false;
  }

  // biome-ignore lint/suspicious/noExplicitAny: as Node declares it.
  override on(event: string | symbol, listener: (...args: any[]) => void): this {
    super.on(event as 'error', listener);
    if (event === 'error' && this.#untold !== undefined) {
      process.nextTick((error: Error) => this.emit('error', error), this.#untold);
      this.#untold = undefined;
    }
    return this;
  }
}
