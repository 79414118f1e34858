import { resolve } from 'node:path';
import { awaitSignal } from '../await-signal.ts';
import type { Config } from '../config/config.ts';
import { besideEmptyDatabaseUrl, ConfigError, readConfig } from '../config/config.ts';
import { hasCluster } from '../embedded/cluster-place.ts';
import { EmbeddedPostgresError } from '../embedded/embedded-error.ts';
import { startEmbeddedPostgres } from '../embedded/embedded-postgres.ts';
import { readLocalKeys } from '../embedded/local-keys.ts';
import { createPool } from '../store/pools.ts';
import { databasePlace } from '../store/postgres-host.ts';
import { type ResealProgress, type ResealResult, reseal } from '../store/reseal.ts';
import { Vault } from '../store/vault.ts';
import { readFlags, runCommand } from './run-command.ts';

/**
 * `npm run reseal`: encrypts every secret at rest with the first key of MASTER_KEY. First give every process the list `old,new`, so that
 * all can read the new key, and then `new,old`; then run this; then `old` can go. Exits 0 when nothing is left under an older key; 1 when
 * something is left, or may be because the run was stopped or failed; 2 for a configuration that is not valid.
 */
async function main(args: readonly string[]): Promise<number> {
  readFlags({ args });
  // A Postgres of ours outlives us: neither whoever stops us nor whoever reads no further may end us before it has ended.
  const { asked, signal } = awaitSignal();
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    const config = readConfig(process.env, emptyUrlProblems);
    const base = await openBase(config, signal);
    try {
      const result = await Promise.race([run(base.databaseUrl, new Vault(base.masterKeys)), asked]);
      return 'kind' in result ? tell(result) : stopped();
    } finally {
      await base.close();
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return stopped();
    const isForPeople = error instanceof ConfigError || error instanceof EmbeddedPostgresError;
    say(isForPeople ? error.message : `Could not reseal: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

/** A secret that did not reach us must not have us reseal the embedded database, and say that nothing is left, in place of the one that was meant. */
function emptyUrlProblems(): readonly string[] {
  const beside = besideEmptyDatabaseUrl(process.env);
  if (beside.length === 0) return [];
  return [
    `DATABASE_URL: empty beside ${beside.join(' and ')}: perhaps it did not reach this process; if the embedded database is meant, unset it`,
  ];
}

interface Base {
  readonly databaseUrl: string;
  readonly masterKeys: readonly string[];
  readonly close: () => Promise<void>;
}

/** The embedded database belongs to one process: a service that runs on it has to be stopped first. */
async function openBase(config: Config, signal: AbortSignal): Promise<Base> {
  if (config.DATABASE_URL !== undefined) {
    say(`Database: ${databasePlace(config.DATABASE_URL)}`);
    // `readConfig` requires it with DATABASE_URL.
    return { databaseUrl: config.DATABASE_URL, masterKeys: config.MASTER_KEY!, close: async () => {} };
  }
  if (!(await hasCluster(config.DATA_DIR))) {
    throw new ConfigError([
      `DATABASE_URL: not set, and there is no database in ${config.DATA_DIR} either: name one of the two, DATABASE_URL or DATA_DIR`,
    ]);
  }
  say(`Database: embedded in ${resolve(config.DATA_DIR)}`);
  // First: a Postgres that was started would outlive a failure here.
  const masterKeys = config.MASTER_KEY ?? [(await readLocalKeys(config.DATA_DIR)).masterKey];
  const postgres = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log: say, signal });
  return { databaseUrl: postgres.url, masterKeys, close: () => postgres.stop() };
}

async function run(databaseUrl: string, vault: Vault): Promise<ResealResult> {
  const pool = createPool({
    databaseUrl,
    name: 'reseal',
    size: 1,
    connectMs: 10_000,
    statementMs: 30_000,
    onError: () => {},
  });
  try {
    return await reseal(pool, vault, { onProgress });
  } finally {
    await pool.end();
  }
}

function onProgress({ step, values }: ResealProgress): void {
  say(`${step} ${values}`);
}

function tell(result: ResealResult): number {
  if (result.kind === 'refused') {
    say(`Nothing was changed: ${result.unopened} of ${result.values} values do not open with the keys in MASTER_KEY.`);
    for (const problem of result.problems) say(`  - ${problem}`);
    if (result.unopened > result.problems.length) say(`  - and ${result.unopened - result.problems.length} more`);
    say(REMEDY);
    return 1;
  }
  say(
    `${result.resealed} of ${result.values} values were encrypted again; the others were under the first key already.${result.left === 0 ? ' Nothing is left under an older key.' : ''}`,
  );
  if (result.skipped.length > 0) say('These do not open, and are of deleted endpoints: nobody needs them.');
  for (const problem of result.skipped) say(`  - ${problem}`);
  if (result.left === 0) return 0;
  say(
    `${result.left} are under an older key: a process still seals with it. Give every process the new MASTER_KEY and run this again.`,
  );
  return 1;
}

function stopped(): number {
  say('Stopped before it was done. What was encrypted again stays so: run this again for the rest.');
  return 1;
}

const REMEDY = `Add the key that they were sealed with to the end of MASTER_KEY. Where it is lost, put something in the place of each:
  endpoint-secret        a new secret by POST …/secret/rotate with an overlap_seconds of 0, or delete the endpoint
  endpoint-headers       PATCH the endpoint with its headers
  endpoint-destination   PATCH the endpoint with its destination and the password
  source-secrets         start a process with the source and its passwords in SOURCES_FILE, or delete the source`;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const USAGE = 'npm run reseal     encrypts every secret at rest with the first key of MASTER_KEY; takes no arguments';

process.exit(await runCommand(USAGE, process.argv.slice(2), main));
