let isDown = false;
/** What is to be done once the pointer is up: the latest alone. */
let waiting: (() => void) | null = null;

function release(): void {
  isDown = false;
  // After the click that the release may be.
  setTimeout(() => {
    if (isDown) return;
    const work = waiting;
    waiting = null;
    work?.();
  });
}

document.addEventListener('pointerdown', () => (isDown = true), true);
for (const end of ['pointerup', 'pointercancel']) document.addEventListener(end, release, true);
window.addEventListener('blur', release);

/** Does what moves things about, but not under a pressed pointer: a button that moves away is not clicked, and a text not selected. */
export function whenReleased(work: () => void): void {
  if (isDown) waiting = work;
  else work();
}
