import { stat } from 'node:fs/promises';

const RECHECK_MS = 5_000;

/**
 * Takes note of a file's changes when it is asked to look, which it does every 5 s at most.
 * @param take gets the file's size in bytes as soon as it is first seen and after each change, and null each time that the file is missing
 * or could not be taken
 * @returns looks; it resolves when what has changed is taken, and never rejects
 */
export function watchFile(
  path: string,
  take: (size: number | null) => void | Promise<void>,
  now: () => number = () => performance.now(),
): () => Promise<void> {
  let version = '';
  let checkedAt = Number.NEGATIVE_INFINITY;
  let checking: Promise<void> | null = null;

  async function check(): Promise<void> {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(path);
      const found = `${mtimeMs}:${ctimeMs}:${size}:${ino}`;
      if (found === version) return;
      await take(size);
      version = found;
    } catch {
      version = '';
      await take(null);
    }
  }

  return async () => {
    if (now() - checkedAt >= RECHECK_MS) {
      checkedAt = now();
      checking = check().finally(() => {
        checking = null;
      });
    }
    await checking;
  };
}
