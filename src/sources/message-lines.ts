import type { IncomingMessage } from './intake.ts';
import { messageBytes } from './message-bytes.ts';

/** Most messages and bytes that are taken in at once. */
const BATCH_MESSAGES = 1_000;
const BATCH_BYTES = 2 * 1024 * 1024;

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
}

/** What is given of a line. */
interface Part {
  messages: number;
  bytes: number;
}

/** Messages that have come and are not durable yet, in a line for each group. Pure: the caller brings the time. */
export class MessageLines<T extends IncomingMessage> {
  readonly #lines = new Map<string, Line<T>>();
  /** Of each line of which the first messages are being taken in, these. */
  readonly #away = new Map<string, Part>();
  #bytes = 0;

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
    };
    this.#lines.set(message.group, line);
    const bytes = messageBytes(message.body, message.key, message.headers);
    line.waiting.push({ message, bytes });
    line.bytes += bytes;
    this.#bytes += bytes;
  }

  /**
   * The next messages to take in, each line's first, from every line that may go on now: each gets its share, and as much is left for those
   * that are away. What others leave of theirs goes to those that have more. They stay until `done`.
   * @param isWanted of a group: absent, all are
   */
  next(nowMs: number, isWanted?: (group: string) => boolean): readonly T[] {
    const ready = this.#here(isWanted).filter(({ notBeforeMs }) => notBeforeMs <= nowMs);
    // Those that have more come later, and are given what the others leave.
    ready.sort((one, other) => wanted(one) - wanted(other));
    const parts = ready.map(() => ({ messages: 0, bytes: 0 }));
    const given = { messages: 0, bytes: 0 };
    for (const [i, line] of ready.entries()) extend(line, parts[i]!, given, ready.length - i + this.#away.size, true);
    // What is away may hold more than its share, or less.
    for (const { messages, bytes } of this.#away.values()) add(given, messages, bytes);
    for (const [i, line] of ready.entries()) extend(line, parts[i]!, given, ready.length - i, false);
    return ready.flatMap(({ waiting }, i) => waiting.slice(0, parts[i]!.messages).map(({ message }) => message));
  }

  /** When a line that waits may go on, in ms; null when nothing waits for time. @param isWanted as of `next` */
  nextMs(isWanted?: (group: string) => boolean): number | null {
    const times = this.#here(isWanted).map(({ notBeforeMs }) => notBeforeMs);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** These are durable. They are the first of their lines, as `next` gave them. */
  done(batch: readonly T[]): void {
    for (const [group, count] of countsOf(batch)) {
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

  /** These are being taken in: until they are brought back nothing more is given of their lines. They are the first, as `next` gave them. */
  takeAway(batch: readonly T[]): void {
    for (const [group, messages] of countsOf(batch)) {
      const part = { messages: 0, bytes: 0 };
      for (const { bytes } of this.#lines.get(group)!.waiting.slice(0, messages)) add(part, 1, bytes);
      this.#away.set(group, part);
    }
  }

  bringBack(batch: readonly T[]): void {
    for (const { group } of batch) this.#away.delete(group);
  }

  /** The line could not go on with so many: it waits, and then tries fewer. */
  narrow(group: string, tried: number, notBeforeMs: number): void {
    const line = this.#lines.get(group);
    if (line === undefined) return;
    line.most = Math.max(1, Math.floor(tried / 2));
    line.notBeforeMs = notBeforeMs;
  }

  /** More waits in the line, and it is still given fewer at once than it would be. */
  isNarrow(group: string): boolean {
    const line = this.#lines.get(group);
    return line !== undefined && line.waiting.length > 0 && line.most < BATCH_MESSAGES;
  }

  #here(isWanted: (group: string) => boolean = () => true): readonly Line<T>[] {
    return [...this.#lines.values()].filter(
      ({ group, waiting }) => waiting.length > 0 && !this.#away.has(group) && isWanted(group),
    );
  }
}

/** Messages that may be taken of a line at once. */
function wanted({ waiting, most }: Line<unknown>): number {
  return Math.min(waiting.length, most);
}

/**
 * Adds to what is given of a line its share of what is left of a batch.
 * @param given of all lines, which it is added to as well
 * @param sharers how many what is left is for
 * @param isFirst a line is given one message at least, however large it is and whatever is left
 */
function extend(line: Line<unknown>, part: Part, given: Part, sharers: number, isFirst: boolean): void {
  const least = isFirst ? 1 : 0;
  const messages = part.messages + Math.max(least, Math.floor((BATCH_MESSAGES - given.messages) / sharers));
  const bytes = part.bytes + (BATCH_BYTES - given.bytes) / sharers;
  for (const { bytes: size } of line.waiting.slice(part.messages, Math.min(messages, line.most))) {
    if (part.bytes + size > bytes && part.messages >= least) break;
    add(part, 1, size);
    add(given, 1, size);
  }
}

function add(part: Part, messages: number, bytes: number): void {
  part.messages += messages;
  part.bytes += bytes;
}

function countsOf(batch: readonly IncomingMessage[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { group } of batch) counts.set(group, (counts.get(group) ?? 0) + 1);
  return counts;
}
