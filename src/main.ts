import { ListenError } from './api/http-server.ts';
import { ConfigError, readConfig } from './config/config.ts';
import { EmbeddedPostgresError } from './embedded/embedded-error.ts';
import { runProcess } from './run-process.ts';

/** The process: one for every role. Exits 2 for a configuration that is not valid, 1 when it cannot start or a part of it is lost. */
async function main(): Promise<number> {
  try {
    return await runProcess(readConfig(process.env));
  } catch (error) {
    const isForPeople = error instanceof ConfigError || error instanceof ListenError || error instanceof EmbeddedPostgresError;
    process.stderr.write(`${isForPeople ? error.message : describe(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `Posthorn could not start: ${error.message}` : `Posthorn could not start: ${String(error)}`;
}

process.exit(await main());
