import type { Config } from './config/config.ts';
import { Demo } from './embedded/demo.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.ts';
import { readLocalKeys } from './embedded/local-keys.ts';

/** Why a process ends. */
export interface Ending {
  readonly text: string;
  readonly exitCode: number;
}

/** What a process stands on: a database and keys, given or embedded. */
export interface Installation {
  readonly databaseUrl: string;
  readonly operatorKey: string;
  readonly masterKeys: readonly string[];
  /** Whether it was started here, and nobody but us knows its keys. */
  readonly isEmbedded: boolean;
  /** The demo of an embedded installation, with the one loopback socket that it opens for deliveries. */
  readonly demo: { readonly run: Demo; readonly socket: string } | null;
  /** Resolves when it gives way under the process. */
  readonly lost: Promise<Ending>;
  close(): Promise<void>;
}

/**
 * Takes what the configuration gives, and starts the rest.
 * @param signal ends the start of an embedded Postgres
 * @throws the reason of `signal`; EmbeddedPostgresError. Nothing is left running.
 */
export async function openInstallation(config: Config, signal: AbortSignal): Promise<Installation> {
  const { DATABASE_URL: databaseUrl, OPERATOR_KEY: operatorKey, MASTER_KEY: masterKeys } = config;
  if (databaseUrl === undefined) return openEmbedded(config, signal);
  // `readConfig` requires both keys with DATABASE_URL.
  return {
    databaseUrl,
    operatorKey: operatorKey!,
    masterKeys: masterKeys!,
    isEmbedded: false,
    demo: null,
    lost: new Promise(() => {}),
    close: async () => {},
  };
}

/** Postgres comes last: it outlives us, so that nothing that can fail may stand between its start and whoever ends it. */
async function openEmbedded(config: Config, signal: AbortSignal): Promise<Installation> {
  const keys = await readLocalKeys(config.DATA_DIR);
  // Its receiver speaks http: with HTTPS_ONLY its endpoint would be refused.
  const run = config.DEMO && !config.HTTPS_ONLY ? new Demo(config.DATA_DIR) : null;
  const demo = run === null ? null : { run, socket: await run.open() };
  const log = (line: string) => void process.stdout.write(`${line}\n`);
  const postgres = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log, signal }).catch(
    async (error: unknown) => {
      await run?.close();
      throw error;
    },
  );
  let isClosing = false;
  return {
    databaseUrl: postgres.url,
    operatorKey: config.OPERATOR_KEY ?? keys.operatorKey,
    masterKeys: config.MASTER_KEY ?? [keys.masterKey],
    isEmbedded: true,
    demo,
    lost: lossOf(postgres, () => isClosing),
    close: async () => {
      isClosing = true;
      await run?.close();
      await postgres.stop();
    },
  };
}

async function lossOf(postgres: EmbeddedPostgres, isClosing: () => boolean): Promise<Ending> {
  const { code, signal } = await postgres.exited;
  if (isClosing()) return { text: 'closed', exitCode: 0 };
  const text = `The embedded Postgres ended by itself (${signal ?? `exit code ${code}`}). Start Posthorn again: nothing acknowledged is lost.`;
  process.stderr.write(`${text}\n`);
  return { text, exitCode: 1 };
}
