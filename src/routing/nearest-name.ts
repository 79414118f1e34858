/** The name that is most like what somebody wrote: by the fewest letters added, left out, changed or swapped. */
export function nearestName(written: string, names: readonly string[]): string {
  const lower = written.slice(0, MAX_LENGTH).toLowerCase().replaceAll(/[_\s]/g, '-');
  const distances = names.map((name) => distance(lower, name));
  return names[distances.indexOf(Math.min(...distances))]!;
}

/** What is written is cut after so many characters: no name is as long. */
const MAX_LENGTH = 40;

function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(change, last[j]! + 1, row[j - 1]! + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
