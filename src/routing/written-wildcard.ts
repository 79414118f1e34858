const STAR = 0x2a;
const ESCAPE = 0x5c;
/** How many steps a match may take for each unit of text and pattern. One that is not hostile takes one or two. */
const STEPS = 8;

/**
 * Whether a text matches a wildcard, without making an object of its pattern: this is read from the record, as units that `readWildcard`
 * found good. Where the text does not fit, the match goes back to the last star, which may take as long as the product of the lengths.
 * @returns null when it took too long, and is to be asked another way
 */
export function matchesWritten(
  pattern: Uint16Array | Uint8Array,
  from: number,
  length: number,
  text: string,
): boolean | null {
  const end = from + length;
  let left = STEPS * (text.length + length);
  let [at, star, tried] = [from, -1, 0];
  for (let i = 0; i < text.length; left--) {
    if (left === 0) return null;
    const unit = at < end ? pattern[at]! : -1;
    if (unit === STAR) {
      star = ++at;
      tried = i;
    } else if ((unit === ESCAPE ? pattern[at + 1] : unit) === text.charCodeAt(i)) {
      at += unit === ESCAPE ? 2 : 1;
      i++;
    } else if (star !== -1) {
      at = star;
      i = ++tried;
    } else return false;
  }
  while (at < end && pattern[at] === STAR) at++;
  return at === end;
}
