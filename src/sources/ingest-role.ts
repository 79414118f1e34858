import { randomUUID } from 'node:crypto';
import { ConfigError } from '../config/config.ts';
import { splitSecrets } from '../config/source-secrets.ts';
import { readSourcesFile } from '../config/sources-file.ts';
import type { Context } from '../context.ts';
import { periodic, type Service } from '../lifecycle.ts';
import { forgetStates, reportStates } from '../store/source-states.ts';
import { applySourcesFile, openSources } from '../store/sources.ts';
import { beginSource } from './source-work.ts';
import { type ReportedState, Supervisor } from './supervisor.ts';

const LOOK_MS = 1_000;
const REPORT_MS = 2_000;

/** The services that take events in from sources, in the order in which they start; they may stop together. Any number of processes may have them. */
export function ingestServices(context: Context): Service[] {
  const { prisma, vault, apiPool, observe } = context;
  const process = `ingest_${randomUUID()}`;
  const fail = (name: string, error: unknown) => observe.workFailed(name, error);
  const supervisor = new Supervisor({
    load: () => openSources(prisma, vault, (id, error) => fail(`source ${id}`, error)),
    begin: (source) => beginSource(source, process, context),
    report: everySoOften(REPORT_MS, (states) => reportStates(apiPool, process, states.map(toReport))),
    onChange: ({ id, name }, { kind, error }) => observe.sources.changed({ id, name, state: kind, error }),
    onFailure: fail,
  });
  const looking = periodic('sources', LOOK_MS, () => supervisor.runOnce(), fail);
  const working = periodic('rejected messages', LOOK_MS, () => supervisor.runWork(), fail);
  return [
    { name: 'sources file', start: () => applyFile(context), stop: async () => {} },
    {
      name: looking.name,
      start: async () => {
        await looking.start();
        await working.start();
      },
      stop: async (deadlineMs) => {
        await looking.stop(deadlineMs);
        // What is being published ends when the sources are closed.
        await Promise.all([supervisor.stop(), working.stop(deadlineMs)]);
        await forgetStates(apiPool, process);
      },
    },
  ];
}

/** @throws ConfigError when the file is not valid or cannot be had beside what the API made */
async function applyFile(context: Context): Promise<void> {
  const { SOURCES_FILE } = context.config;
  if (SOURCES_FILE === undefined) return;
  const sources = readSourcesFile(SOURCES_FILE);
  const taken = await applySourcesFile(
    context,
    sources.map((source) => ({ name: source.name, type: source.type, ...splitSecrets(source) })),
  );
  if (taken.length === 0) return;
  throw new ConfigError(
    taken.map(
      (name) => `SOURCES_FILE: the API has made a source ${name} already; delete it there or name this one otherwise`,
    ),
  );
}

function toReport({ sourceNum, ...state }: ReportedState) {
  return { sourceNum, state };
}

/** Nothing is written while there is nothing to say: a process without sources costs nothing. */
function everySoOften(
  ms: number,
  report: (states: readonly ReportedState[]) => Promise<void>,
): (states: readonly ReportedState[]) => Promise<void> {
  let saidMs = Number.NEGATIVE_INFINITY;
  let saidKinds = '';
  return async (states) => {
    const kinds = states.map(({ sourceNum, kind }) => `${sourceNum} ${kind}`).join();
    const isNews = kinds !== saidKinds;
    if (!isNews && (states.length === 0 || performance.now() - saidMs < ms)) return;
    await report(states);
    saidMs = performance.now();
    saidKinds = kinds;
  };
}
