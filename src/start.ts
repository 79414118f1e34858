import { ListenError } from './api/http-server.ts';
import { readFlags, runCommand } from './cli/run-command.ts';
import { besideEmptyDatabaseUrl, ConfigError, readConfig } from './config/config.ts';
import { sourcesFileProblems } from './config/sources-file.ts';
import { EmbeddedPostgresError } from './embedded/embedded-error.ts';
import { runProcess } from './run-process.ts';
import { MasterKeyError } from './store/check-master-key.ts';
import { PoolerError } from './store/check-pooler.ts';
import { UnfitServerError } from './store/check-server.ts';
import { UnsafeCommitError } from './store/check-session.ts';

/** Errors whose message says what, where and what to do. */
const forPeople = [
  ConfigError,
  ListenError,
  EmbeddedPostgresError,
  MasterKeyError,
  PoolerError,
  UnfitServerError,
  UnsafeCommitError,
];

const USAGE = `npm start

Starts Posthorn. It takes no arguments: its environment configures it, see docs/configuration.md.`;

/**
 * @param args of the command line
 * @returns the exit code: 2 for arguments, and for a configuration that is not valid; 1 when it cannot start or a part of it is lost. Never rejects.
 */
export function start(args: readonly string[]): Promise<number> {
  return runCommand(USAGE, args, () => {
    readFlags({ args: [...args], options: {} });
    return serve();
  });
}

async function serve(): Promise<number> {
  // Whoever read our output may have left: no reason to end, and unheard it would be one.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    const config = readConfig(process.env, sourcesFileProblems);
    const { text, exitCode } = await runProcess(config, besideEmptyDatabaseUrl(process.env));
    // It was said when it happened; what failed in consequence has been written since, and who looks at a process that ended looks at its last line.
    if (exitCode !== 0) process.stderr.write(`${text}\n`);
    return exitCode;
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

function describe(error: unknown): string {
  if (error instanceof Error && forPeople.some((kind) => error instanceof kind)) return error.message;
  return error instanceof Error
    ? `Posthorn could not start: ${error.message}`
    : `Posthorn could not start: ${String(error)}`;
}
