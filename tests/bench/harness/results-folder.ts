import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../../src/cli/run-command.ts';
import type { RunResult } from './run-result.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDER = 'bench/results';

/** @returns the file's path from the root of the project */
export async function saveResult(result: RunResult): Promise<string> {
  const file = `${FOLDER}/${stampOf(result)}.json`;
  await mkdir(join(ROOT, FOLDER), { recursive: true });
  await writeFile(join(ROOT, file), `${JSON.stringify(rounded(result), null, 2)}\n`);
  return file;
}

/** `2026-11-26-1142-0a1b2c3`, for names of files. */
export function stampOf({ at, commit }: Pick<RunResult, 'at' | 'commit'>): string {
  return `${at.slice(0, 10)}-${at.slice(11, 16).replace(':', '')}-${commit.replace('+', '')}`;
}

/**
 * Reads the two runs to compare.
 * @param second without it, the newest result of the project
 * @throws UsageError that says which file is no result, or that both are the same
 */
export async function readPair(first: string, second?: string): Promise<readonly [RunResult, RunResult]> {
  const other = second ?? (await newestResult());
  const pair = [await readResult(first), await readResult(other)] as const;
  if ((await realpath(first)) !== (await realpath(other))) return pair;
  throw new UsageError(
    second === undefined
      ? `--compare: ${first} is the newest result itself; name the one to compare it with after it`
      : `--compare: ${first} and ${second} are the same file`,
  );
}

async function readResult(path: string): Promise<RunResult> {
  const value = await readJson('--compare', path);
  if (isResult(value)) return value;
  throw new UsageError(`--compare: ${path} is not a result of npm run bench, such as those in ${FOLDER}`);
}

/** What the comparison reads of every result; single figures may be missing. */
function isResult(value: unknown): value is RunResult {
  const { at, machine, limit, scenarios } = (value ?? {}) as Partial<Record<keyof RunResult, unknown>>;
  return (
    typeof at === 'string' &&
    [machine, limit].every((part) => typeof part === 'object' && part !== null) &&
    Array.isArray(scenarios) &&
    scenarios.every((scenario) => typeof scenario?.name === 'string' && typeof scenario.figures === 'object')
  );
}

/** @throws UsageError that says which file cannot be read */
export async function readJson(flag: string, path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${flag}: cannot read ${path}: ${error.code ?? error.message}`);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${flag}: ${path} is not JSON`);
  }
}

async function newestResult(): Promise<string> {
  const names = await readdir(join(ROOT, FOLDER)).catch(() => []);
  const newest = names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .at(-1);
  if (newest === undefined) throw new UsageError(`--compare: ${FOLDER} has no result to compare with`);
  return join(ROOT, FOLDER, newest);
}

/** The commit that is checked out, `+` when tracked files differ from it; `unknown` outside a repository. */
export function currentCommit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** Five figures are more than any of them is worth, and keep the files readable. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(5));
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]));
}
