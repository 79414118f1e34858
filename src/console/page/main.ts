import { type Hash, hashOf, parsePlace } from '../logic/place.ts';
import { actor } from './actor.ts';
import { Api, CallError } from './api.ts';
import { withdrawQuestions } from './confirm.ts';
import { banner, Frame, say } from './frame.ts';
import { whenElsewhere, whenReleased } from './pointer.ts';
import { Reader } from './reader.ts';
import { forgetSession, keepSession, readSession, type Session } from './session.ts';
import { signIn } from './sign-in.ts';
import type { Done, View } from './view.ts';
import { viewOf } from './view-of.ts';

let reader: Reader | null = null;
/** Something was done that leads elsewhere, and what came of it is to be read there. */
let keepsMessage = false;

window.addEventListener('hashchange', () => {
  if (!keepsMessage) say('');
  keepsMessage = false;
  open();
});
open();

/** Shows what the address says, or asks for a key first. */
function open(): void {
  const session = readSession();
  if (session === null) askForKey(null);
  else openView(session);
}

function askForKey(problem: unknown): void {
  reader?.end();
  reader = null;
  withdrawQuestions();
  say('');
  banner(null, () => {});
  document.title = 'Sign in – Posthorn';
  const main = document.getElementById('main')!;
  main.replaceChildren(
    ...signIn(problem, (session) => {
      keepSession(session);
      open();
    }),
  );
  main.querySelector('input')?.focus();
}

function signOut(): void {
  forgetSession();
  // What the last one looked at is nothing to the next.
  history.replaceState(null, '', hashOf([]));
  askForKey(null);
}

function openView(session: Session): void {
  reader?.end();
  withdrawQuestions();
  banner(session.tenant === null ? 'Operator' : `Tenant ${session.tenant}`, signOut);
  const fail = (error: unknown, show: (error: unknown) => void) => {
    if (!isSignedOut(error)) {
      show(error);
      return;
    }
    forgetSession();
    askForKey(error);
  };
  const isShown = () => reader === mine;
  const onDone = ({ text, goTo }: Done) => {
    frame.clearRefusal();
    say(text);
    if (goTo !== undefined && goTo !== location.hash) {
      keepsMessage = true;
      location.hash = goTo;
      return;
    }
    frame.forget();
    mine.read();
  };
  const go = (hash: Hash) => {
    if (hash === location.hash) mine.readAnew();
    else location.hash = hash;
  };
  const place = parsePlace(location.hash);
  const act = actor({
    isShown,
    isSignedIn: () => readSession()?.key === session.key,
    onDone,
    onFailed: (error) => {
      say('');
      fail(error, (refusal) => {
        frame.showRefusal(refusal);
        // The box stands at the top, and the form that was filled in may be far below.
        say(`Not done: ${error instanceof Error ? error.message : String(error)}`, 'trouble');
      });
    },
  });
  const shown: View = viewOf({ api: new Api(session.key), session, place, act, go });
  const frame = new Frame(shown, () => mine.readAnew());
  const failed = (error: unknown) => fail(error, (problem) => frame.showProblem(problem));
  const showData = (data: unknown) => {
    try {
      frame.show(data);
    } catch (error) {
      failed(error);
    }
  };
  const mine = new Reader(shown, {
    // What somebody waits for comes at once; what comes by itself, not under a pointer that is about to click.
    onData: (data, isAsked) => {
      const work = () => isShown() && showData(data);
      if (isAsked) whenReleased(work);
      else whenElsewhere(work, () => frame.showHeld(data));
    },
    onError: (error, isAsked) => {
      const work = () => isShown() && failed(error);
      if (isAsked || isSignedOut(error)) whenReleased(work);
      else whenElsewhere(work, () => frame.showHeldProblem());
    },
    onSlow: () => frame.showReading(),
  });
  reader = mine;
  mine.read();
}

function isSignedOut(error: unknown): boolean {
  return error instanceof CallError && error.problem.status === 401;
}
