import { type Hash, hashOf, parsePlace } from '../logic/place.ts';
import { Api, CallError } from './api.ts';
import { banner, Frame, say } from './frame.ts';
import { Reader } from './reader.ts';
import { forgetSession, keepSession, readSession, type Session } from './session.ts';
import { signIn } from './sign-in.ts';
import type { View } from './view.ts';
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
  banner(session.tenant === null ? 'Operator' : `Tenant ${session.tenant}`, signOut);
  const fail = (error: unknown, show: (error: unknown) => void) => {
    if (!isSignedOut(error)) {
      show(error);
      return;
    }
    forgetSession();
    askForKey(error);
  };
  const act = (work: () => Promise<string>) => {
    const begun = reader;
    say('');
    frame.clearRefusal();
    const done = (text: string) => {
      if (begun !== reader) return;
      say(text);
      frame.forget();
      reader?.read();
    };
    work().then(done, (error: unknown) => {
      // Of a view that was left, and maybe of another's key: nothing to whoever looks now.
      if (begun === reader) fail(error, (refusal) => frame.showRefusal(refusal));
    });
  };
  const go = (hash: Hash) => {
    if (hash === location.hash) return;
    keepsMessage = true;
    location.hash = hash;
  };
  const place = parsePlace(location.hash);
  const shown: View = viewOf({ api: new Api(session.key), session, place, act, go });
  const frame = new Frame(shown, () => reader?.read());
  reader = new Reader(shown, {
    onData: (data) => frame.show(data),
    onError: (error) => fail(error, (problem) => frame.showProblem(problem)),
  });
  reader.read();
}

function isSignedOut(error: unknown): boolean {
  return error instanceof CallError && error.problem.status === 401;
}
