import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { type VariableName, variables } from './variables.ts';

export type Config = { readonly [Name in VariableName]: (typeof variables)[Name]['fallback'] };

/** Every configuration error at once; `message` is a list ready to print. Values of secrets are never in it. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`Configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads the environment. An empty value counts as unset. `NAME_FILE` names a file that holds the value (one newline at its end is cut off);
 * an empty file is a problem.
 * @param further what else is wrong, by what could be read: variables that are wrong themselves are absent
 * @throws ConfigError with all problems together.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  further: (config: Partial<Config>) => readonly string[] = () => [],
): Config {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const name of Object.keys(variables) as VariableName[]) {
    const known = problems.length;
    const text = rawValue(env, name, problems);
    if (problems.length > known) continue;
    const { schema, fallback } = variables[name];
    if (text === undefined) {
      config[name] = fallback;
      continue;
    }
    const parsed = schema.safeParse(text);
    if (parsed.success) config[name] = parsed.data;
    else problems.push(problemOf(name, parsed.error));
  }
  problems.push(...contradictions(config as Partial<Config>), ...further(config as Partial<Config>));
  if (problems.length > 0) throw new ConfigError(problems);
  return config as Config;
}

/**
 * The variables that are set beside an empty `DATABASE_URL` although hardly anybody sets them for an embedded database, which is what starts
 * then: perhaps a secret did not reach the process. None where all is well.
 */
export function besideEmptyDatabaseUrl(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  if (env.DATABASE_URL !== '' || env.DATABASE_URL_FILE) return [];
  return ['REDIS_URL', 'MASTER_KEY'].filter((name) => env[name] || env[`${name}_FILE`]);
}

/**
 * Reads `DATABASE_URL` alone, for what needs nothing else.
 * @throws ConfigError when it is not set or not valid.
 */
export function readDatabaseUrl(env: Readonly<Record<string, string | undefined>>): string {
  const problems: string[] = [];
  const text = rawValue(env, 'DATABASE_URL', problems);
  if (text === undefined) throw new ConfigError(problems.length > 0 ? problems : ['DATABASE_URL: required']);
  const { data, error } = variables.DATABASE_URL.schema.safeParse(text);
  if (data === undefined) throw new ConfigError([problemOf('DATABASE_URL', error)]);
  return data;
}

function problemOf(name: string, error: z.ZodError | undefined): string {
  return `${name}: ${error?.issues.map((issue) => issue.message).join('; ')}`;
}

function rawValue(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  problems: string[],
): string | undefined {
  const direct = env[name] || undefined;
  const path = env[`${name}_FILE`] || undefined;
  if (direct !== undefined && path !== undefined) {
    problems.push(`${name}: set both directly and through ${name}_FILE; keep one`);
    return undefined;
  }
  if (path === undefined) return direct;
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (text !== '') return text;
    // A secret that was not written yet must not start us on another database.
    problems.push(`${name}_FILE: ${path} is empty; write the value to it, or leave ${name}_FILE out`);
  } catch (error) {
    problems.push(`${name}_FILE: cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
  return undefined;
}

interface Contradiction {
  /** What it looks at: where one of them is wrong by itself, nothing can be said. */
  readonly of: readonly VariableName[];
  /** Its text begins with the name of the first. */
  readonly problem: string;
  readonly holds: (config: Config) => boolean;
}

const CONTRADICTIONS: readonly Contradiction[] = [
  {
    of: ['OPERATOR_KEY', 'DATABASE_URL'],
    problem: 'required with DATABASE_URL; make one with: openssl rand -hex 24',
    holds: ({ DATABASE_URL, OPERATOR_KEY }) => DATABASE_URL !== undefined && OPERATOR_KEY === undefined,
  },
  {
    of: ['MASTER_KEY', 'DATABASE_URL'],
    problem: 'required with DATABASE_URL; make one with: openssl rand -base64 32',
    holds: ({ DATABASE_URL, MASTER_KEY }) => DATABASE_URL !== undefined && MASTER_KEY === undefined,
  },
  {
    of: ['ROLES', 'DATABASE_URL'],
    problem:
      'a process that is not api and worker at once needs DATABASE_URL, because the embedded Postgres belongs to one process',
    holds: ({ DATABASE_URL, ROLES }) =>
      DATABASE_URL === undefined && !(ROLES.includes('api') && ROLES.includes('worker')),
  },
  {
    of: ['MAX_BATCH_BYTES', 'MAX_EVENT_BYTES'],
    problem: 'smaller than MAX_EVENT_BYTES',
    holds: ({ MAX_BATCH_BYTES, MAX_EVENT_BYTES }) => MAX_BATCH_BYTES < MAX_EVENT_BYTES,
  },
  {
    // The reserve of bytes (`src/workers/memory-shares.ts`) is one body of the largest size then.
    of: ['MAX_BYTES_IN_FLIGHT', 'MAX_EVENT_BYTES', 'ROLES'],
    problem:
      'less than eight times MAX_EVENT_BYTES: a few large events to slow receivers would hold up the deliveries of all tenants',
    holds: ({ MAX_BYTES_IN_FLIGHT, MAX_EVENT_BYTES, ROLES }) =>
      ROLES.includes('worker') && MAX_BYTES_IN_FLIGHT < 8 * MAX_EVENT_BYTES,
  },
  {
    of: ['CONNECT_TIMEOUT_SECONDS', 'DELIVERY_TIMEOUT_SECONDS'],
    problem: 'larger than DELIVERY_TIMEOUT_SECONDS',
    holds: ({ CONNECT_TIMEOUT_SECONDS, DELIVERY_TIMEOUT_SECONDS }) =>
      CONNECT_TIMEOUT_SECONDS > DELIVERY_TIMEOUT_SECONDS,
  },
];

function contradictions(config: Partial<Config>): string[] {
  return CONTRADICTIONS.filter(({ of, holds }) => of.every((name) => name in config) && holds(config as Config)).map(
    ({ of: [name], problem }) => `${name}: ${problem}`,
  );
}
