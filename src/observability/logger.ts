import { setTimeout as sleep } from 'node:timers/promises';
import pino, { type Logger } from 'pino';
import { gatherLines } from './gather-lines.ts';
import type { LogEventName } from './log-events.ts';
import { writeRest } from './write-rest.ts';

/** Where lines go, and how they leave before the process ends. */
export interface ProcessLog {
  readonly log: Logger;
  readonly writeInfo: InfoWriter;
  /** Resolves when all lines are out, or nobody takes them. */
  readonly flush: () => Promise<void>;
  /** From now on, what is told when lines were not kept. */
  readonly watchDrops: (watch: DropWatch) => void;
}

export interface DropWatch {
  /** So many lines found no place. */
  readonly onDropped: (lines: number) => void;
  /** After some were dropped, all that waited is out. */
  readonly onCaughtUp: () => void;
}

/**
 * Writes a line of level `info` whose members beside `event` are JSON already, without braces: `"n":1,"m":2`. For the few kinds of line that come
 * by the thousand a second, where pino's walk over an object costs more than the rest of the observation.
 */
export type InfoWriter = (event: LogEventName, members: string) => void;

/** Lines that wait for the reader of our output: seconds of full load. If it hangs, the service must not. */
const MOST_WAITING_BYTES = 32 * 1024 * 1024;
/** How long a reader of our output that takes its time is waited for. */
const FLUSH_MS = 5_000;
/** How soon it is said again that the log cannot be written, where it could be in between. */
const SAY_AGAIN_MS = 60_000;

/**
 * JSON lines on standard output. Lines are gathered and written in blocks, off the hot path; `flush` before the process ends.
 */
export function createLogger(level: string): ProcessLog {
  const destination = gatherLines(openOutput());
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const flush = async () => {
    const written = new Promise<void>((resolve) => destination.flush(() => resolve()));
    const late = sleep(FLUSH_MS, 'late' as const, { ref: false });
    // Written in the midst of what is still being written, the rest would tear its lines.
    if ((await Promise.race([written, late])) === 'late') destination.flushSync = () => {};
  };
  const watchDrops = ({ onDropped, onCaughtUp }: DropWatch) => {
    let isBehind = false;
    destination.on('drop', (block) => {
      isBehind = true;
      onDropped(linesIn(block));
    });
    destination.on('drain', () => {
      if (isBehind) onCaughtUp();
      isBehind = false;
    });
  };
  return { log, writeInfo: infoWriter(log, (line) => destination.write(line)), flush, watchDrops };
}

function openOutput() {
  const output = pino.destination({
    fd: 1,
    sync: false,
    minLength: 8_192,
    periodicFlush: 200,
    maxLength: MOST_WAITING_BYTES,
  });
  output.flushSync = () => writeRest(output);
  let isFailing = false;
  let saidAt = Number.NEGATIVE_INFINITY;
  // A full disk, for one. Unheard it would end the process. What could not be written waits with what comes after it, and is tried again
  // with the next block, and five times a second.
  output.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (isFailing || code === 'EPIPE' || performance.now() - saidAt < SAY_AGAIN_MS) return;
    process.stderr.write(`The log cannot be written (${message}). It is tried again; up to 32 MiB of lines wait.\n`);
    isFailing = true;
    saidAt = performance.now();
  });
  // Not when something was written: a disk that is full takes a few bytes now and then.
  output.on('drain', () => {
    isFailing = false;
  });
  return output;
}

function linesIn(block: string): number {
  let lines = 0;
  for (let at = block.indexOf('\n'); at !== -1; at = block.indexOf('\n', at + 1)) lines++;
  return lines;
}

/** Lines like pino's own, with one text for the time for all lines of a millisecond. */
function infoWriter(log: Logger, write: (line: string) => void): InfoWriter {
  if (!log.isLevelEnabled('info')) return () => {};
  let atMs = 0;
  let head = '';
  return (event, members) => {
    const nowMs = Date.now();
    if (nowMs !== atMs) {
      atMs = nowMs;
      head = `{"level":"info","time":"${new Date(nowMs).toISOString()}",`;
    }
    write(`${head}"event":"${event}",${members}}\n`);
  };
}
