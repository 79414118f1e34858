import { confirm, type Question } from './confirm.ts';
import { say } from './frame.ts';
import type { Done, Work } from './view.ts';

export interface ActorOptions {
  /** Whether the view in which it was asked for is still shown. */
  readonly isShown: () => boolean;
  /** Whether the one who asked for it is still signed in. */
  readonly isSignedIn: () => boolean;
  readonly onDone: (done: Done) => void;
  readonly onFailed: (error: unknown) => void;
}

/** Of the whole page: what was asked for in another view may still be under way. */
let isActing = false;

/** Does what is asked for in a view, one thing at a time, and says what came of it: shortly, where the view was left meanwhile. */
export function actor(options: ActorOptions): (work: Work, question?: Question) => void {
  const { isShown } = options;
  const act = async (work: Work, question?: Question) => {
    if (isActing) {
      say('That was not done: what was asked for before is still under way.', 'trouble');
      return;
    }
    isActing = true;
    try {
      if (question === undefined || (await confirm(question))) if (isShown()) await carryOut(work, options);
    } finally {
      isActing = false;
    }
  };
  return (work, question) => void act(work, question);
}

async function carryOut(work: Work, options: ActorOptions): Promise<void> {
  const { isShown, isSignedIn, onDone, onFailed } = options;
  say('Under way …', 'busy');
  try {
    const answer = await work(() => isShown() && isSignedIn());
    const done = typeof answer === 'string' ? { text: answer } : answer;
    if (isShown()) onDone(done);
    else if (isSignedIn()) say(done.text);
  } catch (error) {
    if (isShown()) onFailed(error);
    // Of another's key it is nothing to whoever looks now.
    else if (isSignedIn()) say(`What was asked for in the view before was refused: ${messageOf(error)}`, 'trouble');
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
