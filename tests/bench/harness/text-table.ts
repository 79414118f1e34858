/** Columns side by side; the first flush left, the others right. A cell may be text or a number; null is a dash. */
export function textTable(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const texts = [head, ...rows].map((row) => row.map(cell));
  const widths = head.map((_, column) => Math.max(...texts.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(texts[0]!), widths.map((width) => '-'.repeat(width)).join('  '), ...texts.slice(1).map(line)].join('\n');
}

function cell(value: string | number | null): string {
  if (value === null) return '–';
  return typeof value === 'string' ? value : shortNumber(value);
}

/** Three figures that count, without exponents; thousands separated. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en', { minimumFractionDigits: 0, maximumFractionDigits: Math.min(digits, 6) });
}
