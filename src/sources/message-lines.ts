import type { IncomingMessage } from './intake.ts';

/** Most messages and bytes that are taken in at once. */
const BATCH_MESSAGES = 1_000;
const BATCH_BYTES = 2 * 1024 * 1024;
/** What a message, and each of its headers, takes in memory beside its bytes, about. */
const OVERHEAD_BYTES = 512;
const HEADER_BYTES = 256;

interface Waiting<T> {
  readonly message: T;
  readonly bytes: number;
}

interface Line<T> {
  readonly group: string;
  readonly waiting: Waiting<T>[];
  /** Of all of them. */
  bytes: number;
  /** Most messages of it that are taken at once: fewer while its tenant may not send more. */
  most: number;
  notBeforeMs: number;
  /** Its first messages are being taken in apart from others. */
  isAway: boolean;
}

/** Messages that have come and are not durable yet, in a line for each group. Pure: the caller brings the time. */
export class MessageLines<T extends IncomingMessage> {
  readonly #lines = new Map<string, Line<T>>();
  #bytes = 0;
  #away = 0;

  /** What waits, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What waits in one line. */
  bytesOf(group: string): number {
    return this.#lines.get(group)?.bytes ?? 0;
  }

  push(message: T): void {
    const line = this.#lines.get(message.group) ?? {
      group: message.group,
      waiting: [],
      bytes: 0,
      most: BATCH_MESSAGES,
      notBeforeMs: 0,
      isAway: false,
    };
    this.#lines.set(message.group, line);
    const bytes = sizeOf(message);
    line.waiting.push({ message, bytes });
    line.bytes += bytes;
    this.#bytes += bytes;
  }

  /**
   * The next messages to take in, each line's first, from every line that may go on now: each gets its share, and as much is left for those
   * that are away. They stay until `done`.
   */
  next(nowMs: number): readonly T[] {
    const ready = this.#here().filter(({ notBeforeMs }) => notBeforeMs <= nowMs);
    const batch: T[] = [];
    let bytes = 0;
    for (const [i, line] of ready.entries()) {
      const left = ready.length - i + this.#away;
      const share = Math.max(1, Math.floor((BATCH_MESSAGES - batch.length) / left));
      const shareBytes = (BATCH_BYTES - bytes) / left;
      let lineBytes = 0;
      for (const { message, bytes: size } of line.waiting.slice(0, Math.min(share, line.most))) {
        lineBytes += size;
        // A message that is larger than the share still goes, alone.
        if (lineBytes > shareBytes && lineBytes > size) break;
        batch.push(message);
        bytes += size;
      }
    }
    return batch;
  }

  /** When a line that waits may go on, in ms; null when nothing waits for time. */
  nextMs(): number | null {
    const times = this.#here().map(({ notBeforeMs }) => notBeforeMs);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** These are durable. They are the first of their lines, as `next` gave them. */
  done(batch: readonly T[]): void {
    const counts = new Map<string, number>();
    for (const { group } of batch) counts.set(group, (counts.get(group) ?? 0) + 1);
    for (const [group, count] of counts) {
      const line = this.#lines.get(group)!;
      for (const { bytes } of line.waiting.splice(0, count)) {
        line.bytes -= bytes;
        this.#bytes -= bytes;
      }
      line.most = Math.min(BATCH_MESSAGES, line.most * 2);
      line.notBeforeMs = 0;
      if (line.waiting.length === 0 && line.most === BATCH_MESSAGES) this.#lines.delete(group);
    }
  }

  /** Whether the first messages of a line are being taken in apart from others: until that has ended nothing more is taken of it. */
  setAway(group: string, isAway: boolean): void {
    const line = this.#lines.get(group);
    this.#away += isAway ? 1 : -1;
    if (line !== undefined) line.isAway = isAway;
  }

  /** The line could not go on with so many: it waits, and then tries fewer. */
  narrow(group: string, tried: number, notBeforeMs: number): void {
    const line = this.#lines.get(group);
    if (line === undefined) return;
    line.most = Math.max(1, Math.floor(tried / 2));
    line.notBeforeMs = notBeforeMs;
  }

  #here(): readonly Line<T>[] {
    return [...this.#lines.values()].filter(({ waiting, isAway }) => waiting.length > 0 && !isAway);
  }
}

/** Gone through once for each message: it may have very many headers. */
function sizeOf({ body, key, headers }: IncomingMessage): number {
  let bytes = OVERHEAD_BYTES + body.length + (key?.length ?? 0);
  for (const [name, value] of headers) bytes += HEADER_BYTES + name.length + value.length;
  return bytes;
}
