import type { Cluster, Redis } from 'ioredis';
import { evictionProblem } from './redis.ts';

/** How often Redis is asked, in ms. An operator who has corrected its setting waits for so long until the problem is no longer reported. */
const ASK_MS = 5_000;

/**
 * Knows whether Redis may evict keys. It asks whenever a connection is made, and from time to time, because an operator may change the
 * setting while Redis runs.
 */
export class EvictionWatch {
  readonly #onProblem: (problem: string) => void;
  #problem: string | null = null;
  #isAsking = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onProblem is told of a problem when it is new */
  constructor(onProblem: (problem: string) => void) {
    this.#onProblem = onProblem;
  }

  /** What is wrong and what to do, as far as Redis could be asked; null when nothing is. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Asks when the connection is ready; the first that is watched is asked again and again. */
  watch(client: Redis | Cluster): void {
    client.on('ready', () => void this.#ask(client));
    this.#timer ??= setInterval(() => void this.#ask(client), ASK_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One question at a time: where Redis is away, some connections wait until it comes back. */
  async #ask(client: Redis | Cluster): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const before = this.#problem;
    this.#problem = await evictionProblem(client).catch(() => before);
    this.#isAsking = false;
    if (this.#problem !== null && this.#problem !== before) this.#onProblem(this.#problem);
  }
}
