let isDown = false;
/** What is to be done once nothing is in the way: the latest alone. */
let waiting: { readonly work: () => void; readonly isReady: () => boolean } | null = null;

/** After the click that a release may be, and once the pointer has gone where it goes. */
function retry(): void {
  setTimeout(() => {
    if (waiting === null || !waiting.isReady()) return;
    const { work } = waiting;
    waiting = null;
    work();
  });
}

function release(): void {
  isDown = false;
  retry();
}

document.addEventListener('pointerdown', () => (isDown = true), true);
for (const end of ['pointerup', 'pointercancel']) document.addEventListener(end, release, true);
window.addEventListener('blur', release);
document.addEventListener(
  'pointerover',
  ({ buttons }) => {
    // A menu of the browser's may have swallowed the release.
    if (buttons === 0) isDown = false;
    if (waiting !== null) retry();
  },
  true,
);
for (const end of ['pointerleave', 'close']) document.addEventListener(end, () => waiting !== null && retry(), true);

const isReleased = () => !isDown;
/** Its end gives focus back to the button that it came from, which must still be there. */
const isAsking = () => document.querySelector('dialog[open]') !== null;
/** A finger rests on nothing: where it was last does not count. */
const restsOnButton = () =>
  matchMedia('(hover: hover)').matches && document.querySelector('#main table button:hover') !== null;

/** Does what moves things about, but not under a pressed pointer: a button that moves away is not clicked, and a text not selected. */
export function whenReleased(work: () => void): void {
  when(isReleased, work);
}

/**
 * Likewise, and not under a pointer that rests on the button of a row either: the next click would be of another row.
 * @param onHeld says so, where it has to wait
 */
export function whenElsewhere(work: () => void, onHeld: () => void): void {
  when(() => isReleased() && !isAsking() && !restsOnButton(), work);
  if (waiting !== null && isReleased()) onHeld();
}

function when(isReady: () => boolean, work: () => void): void {
  waiting = null;
  if (isReady()) work();
  else waiting = { work, isReady };
}
