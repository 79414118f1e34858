/** What one page of a list may weigh: a page of large rows is cut short. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** As many of the rows, from the first on, as one page takes: one at least. */
export function withinBytes<Row extends { readonly bytes: number }>(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  const count = rows.findIndex((row, index) => {
    bytes += row.bytes;
    return bytes > MAX_PAGE_BYTES && index > 0;
  });
  return count === -1 ? rows : rows.slice(0, count);
}
