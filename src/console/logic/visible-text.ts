/**
 * Control characters but tab and line feed, what changes the direction of text or shows nothing, halves of surrogate pairs, and private use.
 * Line separators are among them: a receiver must not be able to write lines that seem to be ours.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** JSON of strangers, likewise, as JSON has it (`\u202e`): what is copied from the page is still the same event. */
export function visibleJson(text: string): string {
  return text.replaceAll(UNSEEN, (character) => {
    // Between values; in strings they are escaped already.
    if (/[\n\t\r]/.test(character)) return character;
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

/** Text of strangers, with what cannot be seen written out, as `\u{202e}`. */
export function visibleText(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(UNSEEN, (character) => {
    if (character === '\n' || character === '\t') return character;
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}
