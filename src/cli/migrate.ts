import { ConfigError, readDatabaseUrl } from '../config/config.ts';
import { migrate } from '../store/migrate.ts';
import { databasePlace } from '../store/postgres-host.ts';
import { readFlags, runCommand } from './run-command.ts';

/**
 * `npm run migrate`: brings the database at DATABASE_URL to the newest migration, as every start of the service does by itself. Needs no
 * other variable. Exits 0 when the database is at the newest migration, 1 when it is not, 2 for a configuration that is not valid.
 */
async function main(args: readonly string[]): Promise<number> {
  readFlags({ args });
  try {
    const databaseUrl = readDatabaseUrl(process.env);
    say(`Database: ${databasePlace(databaseUrl)}`);
    const applied = await migrate(databaseUrl, ({ migration, waitsFor }) =>
      say(`${migration ?? 'another process migrates: this one'} waits for ${waitsFor}`),
    );
    for (const name of applied) say(`applied ${name}`);
    if (applied.length === 0) say('nothing to apply');
    return 0;
  } catch (error) {
    say(
      error instanceof ConfigError
        ? error.message
        : `Could not migrate: ${error instanceof Error ? error.message : String(error)}`,
    );
    return error instanceof ConfigError ? 2 : 1;
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const USAGE = 'npm run migrate     brings the database at DATABASE_URL to the newest migration; takes no arguments';

process.exit(await runCommand(USAGE, process.argv.slice(2), main));
