import type { OrderPlace } from '../store/mailbox.ts';
import type { Letter } from './letter-queue.ts';

/** `go`: nothing is before it. `wait`: the one before it is in memory too. `behind`: it is not, so that the row goes back to the table. */
export type Standing = 'go' | 'wait' | 'behind';

export interface Aftermath {
  /** The next one, which may go now. */
  readonly freed: Letter | null;
  /** Those that go back to the table. */
  readonly behind: readonly Letter[];
  /** Whether the table must be asked who is next. */
  readonly asksTable: boolean;
}

interface Member {
  readonly letter: Letter;
  readonly seq: number;
  /** The number of the row before it, as far as one is left. */
  behindSeq: number | null;
  /** Whether it was let go: it waits to be sent, is under way, or is being written down. */
  isGoing: boolean;
}

const NOTHING: Aftermath = { freed: null, behind: [], asksTable: false };

/**
 * The ordered deliveries of one endpoint that are in memory: a line for each key, of which one at a time may go. The next one may go when
 * the one before it has ended and that is written. The table's own order decides: a letter knows the row that was just before it, so that
 * what is not in memory cannot be overtaken.
 */
export class KeyLines {
  /** Each in the order of the numbers. */
  readonly #lines = new Map<number, Member[]>();
  #waiting = 0;

  /** Letters that may not be sent yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a letter in, unless it stands `behind` one that is not here. */
  admit(letter: Letter, { key, seq, behindSeq, isPaused }: OrderPlace): Standing {
    if (isPaused) return 'behind';
    const line = this.#lines.get(key) ?? [];
    if (behindSeq !== null && !line.some((member) => member.seq === behindSeq)) return 'behind';
    const after = line.findIndex((member) => member.seq > seq);
    line.splice(after === -1 ? line.length : after, 0, { letter, seq, behindSeq, isGoing: false });
    this.#lines.set(key, line);
    this.#waiting++;
    return this.#letGo(line) === letter ? 'go' : 'wait';
  }

  /** One of the line has ended for good, or is gone from the table. */
  ended({ key, seq }: OrderPlace): Aftermath {
    const ended = this.#leave(key, seq);
    const line = this.#lines.get(key);
    if (line === undefined) return { ...NOTHING, asksTable: true };
    if (ended !== undefined)
      for (const member of line) if (member.behindSeq === seq) member.behindSeq = ended.behindSeq;
    return { ...NOTHING, freed: this.#letGo(line) };
  }

  /** One of the line will be tried again later, or left memory: whatever stands behind it goes back to the table. */
  left({ key, seq }: OrderPlace): Aftermath {
    if (this.#leave(key, seq) === undefined) return NOTHING;
    return { ...NOTHING, behind: this.#takeFrom(key, (member) => member.seq > seq) };
  }

  /** Takes out all that may not be sent yet. */
  takeWaiting(): Letter[] {
    return [...this.#lines.keys()].flatMap((key) => this.#takeFrom(key, () => true));
  }

  /** Lets the first one go when none is going and nothing is before it. */
  #letGo(line: readonly Member[]): Letter | null {
    const [first] = line;
    if (first === undefined || first.behindSeq !== null || line.some(({ isGoing }) => isGoing)) return null;
    first.isGoing = true;
    this.#waiting--;
    return first.letter;
  }

  #leave(key: number, seq: number): Member | undefined {
    const line = this.#lines.get(key);
    const index = line?.findIndex((member) => member.seq === seq) ?? -1;
    if (line === undefined || index === -1) return undefined;
    const [member] = line.splice(index, 1);
    if (member?.isGoing === false) this.#waiting--;
    if (line.length === 0) this.#lines.delete(key);
    return member;
  }

  /** Takes out those that wait and are meant. */
  #takeFrom(key: number, isMeant: (member: Member) => boolean): Letter[] {
    const line = this.#lines.get(key) ?? [];
    const taken: Member[] = [];
    const kept: Member[] = [];
    for (const member of line) (!member.isGoing && isMeant(member) ? taken : kept).push(member);
    this.#waiting -= taken.length;
    if (kept.length === 0) this.#lines.delete(key);
    else this.#lines.set(key, kept);
    return taken.map(({ letter }) => letter);
  }
}
