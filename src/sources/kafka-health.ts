import { storableText } from '../domain/storable-text.ts';
import { redact } from '../observability/fault-of.ts';
import type { ConsumerState } from './consumer.ts';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
/**
 * How long a membership of the group must last before failures are counted anew: longer than the client takes to give up a broker that hangs
 * (four tries of a request of half a minute, src/brokers/kafka-client-options.ts).
 */
const SOUND_AFTER_MS = 180_000;

/** How a source's consumer fares: what is wrong, and how long to wait before the next membership of the group is tried. */
export class KafkaHealth {
  #isJoined = false;
  #missing: readonly string[] = [];
  /** Why messages cannot be stored. */
  #trouble: string | null = null;
  /** Why the last membership ended, until another has shown itself sound. */
  #failure: string | null = null;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #held: () => string | null;

  /** @param held why some of its partitions are left alone */
  constructor(held: () => string | null = () => null) {
    this.#held = held;
  }

  /** Partitions were given to us. That is no success yet: what is read of them may be what ended the membership before. */
  join(missing: readonly string[]): void {
    this.#missing = missing;
    this.#isJoined = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#endure(), SOUND_AFTER_MS).unref();
  }

  /** The broker has answered a fetch: what was wrong is not shown any more. Another partition may break the membership all the same. */
  prosper(): void {
    this.#failure = null;
  }

  #endure(): void {
    this.#failure = null;
    this.#failures = 0;
  }

  /** Messages cannot be stored; null: they can again. */
  setTrouble(error: unknown): void {
    this.#trouble = error === null ? null : textOf(error);
  }

  /** @param fault what broke a connection, where that is why it was closed */
  fail(error: unknown, fault: unknown = null): void {
    this.leave();
    this.#failures++;
    this.#failure = textOf(error, fault);
  }

  /** The membership is over, be it that it failed. What could not be stored is somebody else's now, or read again. */
  leave(): void {
    clearTimeout(this.#timer);
    this.#isJoined = false;
    this.#trouble = null;
  }

  /** How long to wait after a failure. */
  get waitMs(): number {
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#failures - 1, 10));
  }

  kind(isHeld: boolean): ConsumerState['kind'] {
    if (this.#failure !== null || this.#missing.length > 0) return 'failing';
    if (this.#isJoined && this.#held() !== null) return 'failing';
    if (isHeld) return 'paused';
    if (this.#trouble !== null) return 'waiting';
    return this.#isJoined ? 'running' : 'starting';
  }

  get error(): string | null {
    // What is held is known for as long as the group is the same, what failed before may be over.
    const held = this.#isJoined ? this.#held() : null;
    return held ?? this.#failure ?? missingText(this.#missing) ?? this.#trouble;
  }
}

function missingText(missing: readonly string[]): string | null {
  return missing.length === 0 ? null : `The cluster has no topic ${missing.join(', ')}.`;
}

const LONGEST_TEXT = 500;

const CLOSED = 'Connection closed';

function textOf(error: unknown, fault: unknown = null): string {
  const messages = messagesOf(error);
  const why = fault !== null && messages.includes(CLOSED) ? messagesOf(fault) : [];
  return storableText(redact([...new Set([...messages, ...why])].join(' ')), LONGEST_TEXT);
}

/** What the client says lies beneath: the first line alone is "Connection to … failed" and the like. */
function messagesOf(error: unknown): readonly string[] {
  const { message, errors, cause } = (error ?? {}) as {
    message?: string;
    errors?: readonly unknown[];
    cause?: unknown;
  };
  const beneath = [...(errors ?? []).slice(0, 2), ...(cause === undefined ? [] : [cause])].flatMap(messagesOf);
  return [...new Set([message ?? String(error), ...beneath])];
}
