import type { Hash, Place } from '../logic/place.ts';
import type { Api } from './api.ts';
import type { Question } from './confirm.ts';
import type { Child } from './element.ts';
import type { Session } from './session.ts';

/** What came of something that was done, and where that is to be seen, unless here. */
export interface Done {
  readonly text: string;
  readonly goTo?: Hash;
}

/** What a reader asked for. @param isWanted whether the reader is still there: what takes many calls ends otherwise */
export type Work = (isWanted: () => boolean) => Promise<string | Done>;

/** What a view is given when it is opened. */
export interface Opening {
  readonly api: Api;
  readonly session: Session;
  readonly place: Place;
  /**
   * Does something that the reader asked for; with a `question`, only once the reader has confirmed it. Then it says what came of it, or
   * shows why it failed, and reads the view again. It does one thing at a time, and nothing once the reader has left the view.
   */
  readonly act: (work: Work, question?: Question) => void;
  /** Goes to another place. */
  readonly go: (hash: Hash) => void;
}

export interface View<T = unknown> {
  readonly heading: string;
  /** Above the heading, from the whole to the part: links. */
  readonly trail: readonly HTMLElement[];
  /** Below the heading. Made once, so that reading again loses nothing that was typed. */
  readonly controls?: readonly HTMLElement[];
  /** Likewise, below everything. */
  readonly footer?: readonly HTMLElement[];
  readonly load: (signal: AbortSignal) => Promise<T>;
  /** Called anew only when what was loaded has changed. */
  readonly render: (data: T) => readonly Child[];
  /** How long after a reading the next one begins by itself; 5 seconds unless said. */
  readonly refreshMs?: number;
}

/** Keeps the type of what is loaded between `load` and `render`, and forgets it for the frame. */
export function view<T>(made: View<T>): View {
  return made as View;
}
