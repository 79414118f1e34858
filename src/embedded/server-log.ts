import { constants } from 'node:fs';
import { copyFile, type FileHandle, lstat, open, rm } from 'node:fs/promises';

/** Postgres writes to the file itself, so that its log lives through the death of its parent and never waits for it. */
export interface ServerLog {
  readonly path: string;
  /** The open file, for the server's output. */
  readonly fd: number;
  /** What was written since the log was opened, at most the last `LONGEST_TAIL` bytes. */
  tail(): Promise<string>;
  close(): Promise<void>;
}

const LARGEST = 16 * 1024 * 1024;
const LONGEST_TAIL = 8 * 1024;
const CHECK_EVERY_MS = 60_000;

/** Opens the log for appending. At `LARGEST` bytes its text moves to `<path>.1`, now and while it is open. */
export async function openServerLog(path: string): Promise<ServerLog> {
  const file = await openUnlinked(path);
  await rotate(path, file).catch(() => undefined);
  const start = (await file.stat()).size;
  const check = setInterval(() => void rotate(path, file).catch(() => undefined), CHECK_EVERY_MS);
  check.unref();
  return {
    path,
    fd: file.fd,
    async tail() {
      const { size } = await file.stat();
      const from = Math.max(Math.min(start, size), size - LONGEST_TAIL);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      return buffer.toString('utf8', 0, bytesRead).trim();
    },
    async close() {
      clearInterval(check);
      await file.close();
    },
  };
}

/** Root follows no link that is not its own: where the folder is another account's, that account could have it write to any file. */
async function openUnlinked(path: string): Promise<FileHandle> {
  const found = await lstat(path).catch(() => null);
  const isLink = found?.isSymbolicLink() === true;
  if (process.getuid?.() !== 0 || (isLink && found?.uid === 0)) return open(path, 'a+', 0o600);
  if (isLink) await rm(path);
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
  return open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
}

/** Copies and empties: the server keeps the file open and appends, so it could not follow a rename. */
async function rotate(path: string, file: FileHandle): Promise<void> {
  if ((await file.stat()).size < LARGEST) return;
  await rm(`${path}.1`, { force: true });
  await copyFile(path, `${path}.1`, constants.COPYFILE_EXCL);
  await file.truncate();
}
