import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** What there is for Postgres, in bytes. */
export interface Room {
  /** Of the machine, or what the container may take of it. */
  readonly memory: number;
  /** Free where the data is. */
  readonly disk: number;
}

/** @param folder where the data is */
export async function roomAt(folder: string): Promise<Room> {
  const { bavail, bsize } = await statfs(folder);
  return { memory: Math.min(totalmem(), constrainedMemory() || Number.POSITIVE_INFINITY), disk: bavail * bsize };
}

function eighthOf(bytes: number, least: number, most: number): string {
  return `${Math.round(Math.min(Math.max(bytes / 8, least), most) / MIB)}MB`;
}

/**
 * Settings of the embedded Postgres, for a service that shares a small machine with it. They are written to `posthorn.conf` at
 * each start, which `postgresql.conf` includes in its first own line: what an operator adds below that line, or sets by
 * ALTER SYSTEM, wins.
 */
const settingsFor = ({ memory, disk }: Room): Readonly<Record<string, string>> => ({
  max_connections: '100',
  // The keys of millions of events come in no order: a page of them that is not here is read from the disk and written back.
  shared_buffers: eighthOf(memory, 128 * MIB, GIB),
  // A 202 promises that the event is on disk.
  synchronous_commit: 'on',
  wal_compression: 'on',
  // The first change of a page after a checkpoint writes it whole: the fewer checkpoints, the fewer pages.
  max_wal_size: eighthOf(disk, GIB, 4 * GIB),
  // Statements are short and many: compiling them never pays.
  jit: 'off',
  random_page_cost: '1.1',
  // Queue tables turn over fast: look often and clean quickly, rather than seldom and long.
  autovacuum_naptime: '15s',
  autovacuum_vacuum_cost_limit: '1000',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  // A failed statement's text may carry an event's payload.
  log_min_error_statement: 'panic',
  log_line_prefix: '%m [%p] ',
  timezone: 'UTC',
  log_timezone: 'UTC',
});

/** The text of `posthorn.conf`. */
export function settingsFile(room: Room): string {
  return [
    '# Written at each start. Put your own settings at the end of postgresql.conf.',
    ...Object.entries(settingsFor(room)).map(line),
    '',
  ].join('\n');
}

/** Arguments of `postgres` for what must win over every file: where it listens, and `extra`, a caller's own settings. */
export function settingArguments(port: number, extra: Readonly<Record<string, string>>): string[] {
  const must = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    logging_collector: 'off',
    ...extra,
  };
  return Object.entries(must).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function line([name, value]: [string, string]): string {
  return `${name} = '${value.replaceAll("'", "''")}'`;
}
