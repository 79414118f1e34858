/** How far behind one part of a source is: a partition (`topic/partition`) or a queue. */
export interface SourceLag {
  readonly part: string;
  /** Messages that wait there; null: not known. */
  readonly messages: number | null;
}

export interface ConsumerState {
  /**
   * `starting`: not connected yet. `running`: takes messages in. `paused`: by an operator. `waiting`: messages cannot be stored now, and
   * are tried again. `failing`: the broker cannot be used.
   */
  readonly kind: 'starting' | 'running' | 'paused' | 'waiting' | 'failing';
  /** The last error's text, without secrets; null: none since it last ran well. */
  readonly error: string | null;
  readonly lag: readonly SourceLag[];
}

/**
 * One source's messages in one process, by any transport. What it gives to the `Intake` and was not told is durable, it gives again: after
 * a pause, a lost connection, a crash. It acknowledges nothing before.
 */
export interface Consumer {
  /** Takes messages in until the signal aborts; then resolves within a few seconds, once what was under way is done. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Takes nothing more in until `resume`; what is under way is finished. */
  pause(): void;
  resume(): void;
  state(): ConsumerState;
}
