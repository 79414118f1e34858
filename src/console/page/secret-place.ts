/** Class of places that show secrets. */
export const SECRET = 'secret';

/** The browser may keep the page as it is and bring it back to whoever goes back. */
window.addEventListener('pagehide', () => {
  for (const place of document.getElementsByClassName(SECRET)) place.replaceChildren();
});
