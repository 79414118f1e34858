import { totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';

const MIB = 1024 * 1024;

/**
 * An eighth of the memory that there is, in bytes, so that the keys of millions of events stay in reach: they come in no order, and a page of
 * them that is out of reach is read from the disk and written back.
 */
export function sharedBuffers(memory: number): string {
  return `${Math.round(Math.min(Math.max(memory / 8, 128 * MIB), 1024 * MIB) / MIB)}MB`;
}

/** What the machine has, or what the container may take of it, in bytes. */
const memory = Math.min(totalmem(), constrainedMemory() || Number.POSITIVE_INFINITY);

/**
 * Settings of the embedded Postgres, for a service that shares a small machine with it. They are written to `posthorn.conf` at
 * each start, which `postgresql.conf` includes in its first own line: what an operator adds below that line, or sets by
 * ALTER SYSTEM, wins.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  max_connections: '100',
  shared_buffers: sharedBuffers(memory),
  // A 202 promises that the event is on disk.
  synchronous_commit: 'on',
  wal_compression: 'on',
  // The first change of a page after a checkpoint writes it whole: the fewer checkpoints, the fewer pages.
  max_wal_size: '4GB',
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
};

/** The text of `posthorn.conf`. */
export function settingsFile(): string {
  return [
    '# Written at each start. Put your own settings at the end of postgresql.conf.',
    ...Object.entries(SETTINGS).map(line),
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
