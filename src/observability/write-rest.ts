import { writeSync } from 'node:fs';

/** What a sonic-boom (pino's destination) still holds, by its own names. */
interface Holder {
  readonly fd: number;
  /** Whether a part is being written; that part is not ours then. */
  _writing: boolean;
  _writingBuf: string | Buffer;
  _bufs: string[];
}

/** How long a reader that takes its time is waited for, with the thread standing still. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 20;

/**
 * Writes what waits, at the end of a process that has no time to wait. In place of sonic-boom's own `flushSync`, which tries each write that fails again,
 * without end and without letting go of the thread: where a disk is full the process would stand still, deaf to every signal. Never throws.
 */
export function writeRest(destination: unknown): void {
  const holder = destination as Holder;
  const rest = [...(holder._writing ? [] : [holder._writingBuf]), ...holder._bufs];
  holder._bufs = [];
  if (!holder._writing) holder._writingBuf = '';
  const until = performance.now() + PATIENCE_MS;
  for (const part of rest) if (!writeWhole(holder.fd, Buffer.from(part), until)) return;
}

function writeWhole(fd: number, bytes: Buffer, until: number): boolean {
  let from = 0;
  while (from < bytes.length) {
    try {
      from += writeSync(fd, bytes, from);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > until) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
  return true;
}
