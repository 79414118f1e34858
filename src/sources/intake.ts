/** A message of a broker, as it came. */
export interface IncomingMessage {
  /** Where it stands, as people read it, and no other message of the source at the same time: `topic/partition/offset`. */
  readonly position: string;
  /**
   * What it is known by when it comes again, for as long as idempotency keys are kept: absent, the position. null: nothing says that it is
   * the same one, and only the event's own id and idempotency key keep it from being taken twice.
   */
  readonly identity?: string | null;
  /** Messages of one group are taken in the order in which they are given: `topic/partition`. */
  readonly group: string;
  /** What the broker says of it, for mappings: `topic`, `partition` and `offset`, or `exchange`, `routing_key`, `queue`, … */
  readonly attributes: ReadonlyMap<string, string>;
  readonly key: Uint8Array | null;
  readonly headers: ReadonlyMap<string, Uint8Array>;
  readonly body: Uint8Array;
  /** What the body had, where it is so large that only its beginning was held: it is no event. */
  readonly wholeBytes?: number;
  /** Why its headers are not here, where they could not be read: it is no event. */
  readonly unreadable?: string;
  /** When the broker or its producer says that it was sent, in ms since 1970. */
  readonly timestampMs: number | null;
}

/**
 * Takes messages in, in the order given within each group. Resolves when every one of them is durable: committed as an event, known as a
 * duplicate, or kept among the rejected messages; only then may the broker be told that they are done.
 * @throws Refusal 503 when they cannot be stored now, 429 or 413 when a tenant may not send so much now, anything else when
 * infrastructure is away. Some of them may be stored then: the same messages are to be given again, after a pause, perhaps fewer at once.
 */
export type Intake = (messages: readonly IncomingMessage[]) => Promise<void>;
