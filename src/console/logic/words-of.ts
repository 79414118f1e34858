/** The words of a line, whatever stands between them: spaces, commas or both. */
export function wordsOf(line: string): readonly string[] {
  return line.split(/[\s,]+/).filter((word) => word !== '');
}
