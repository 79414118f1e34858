import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { type Config, ConfigError } from './config.ts';
import { type SourceInput, sourceInput } from './source-schema.ts';
import { placeOf, SECRET_PATHS } from './source-secrets.ts';

const document = z.strictObject(
  { sources: z.array(z.unknown(), 'expected a list').max(1_000) },
  { error: ({ code }) => (code === 'invalid_type' ? 'expected a list under the name `sources`' : undefined) },
);

/**
 * Reads the file of sources: YAML, or JSON, which is YAML too. Secrets and certificates may be given as `<name>_file`, the path of a file
 * that holds them.
 * @throws ConfigError with all problems together
 */
export function readSourcesFile(path: string): readonly SourceInput[] {
  const parsed = document.safeParse(parseFile(path));
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error, ''));
  const problems: string[] = [];
  const sources: SourceInput[] = [];
  for (const [i, raw] of parsed.data.sources.entries()) {
    const where = `sources.${i}`;
    const unread = readFiles(raw, where);
    problems.push(...unread);
    // What the files should have said is not to be missed as well.
    if (unread.length > 0) continue;
    const source = sourceInput.safeParse(raw);
    if (source.success) sources.push(source.data);
    else problems.push(...problemsOf(source.error, where));
  }
  const names = sources.map(({ name }) => name);
  const twice = new Set(names.filter((name, i) => names.indexOf(name) !== i));
  problems.push(...[...twice].map((name) => `SOURCES_FILE: the name ${name} is given more than once`));
  if (problems.length > 0) throw new ConfigError(problems);
  return sources;
}

/** What is wrong in the file of sources, where one is named. */
export function sourcesFileProblems({ SOURCES_FILE: path }: Partial<Config>): readonly string[] {
  if (path === undefined) return [];
  try {
    readSourcesFile(path);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function parseFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`SOURCES_FILE: cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`]);
  }
  try {
    // Warnings are faults too: as warnings they would be printed, with the lines that they are about.
    const document = parseDocument(text, { logLevel: 'silent' });
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw fault;
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    // Only what the parser says first: below it shows the lines, which may hold secrets.
    const [first] = String((error as Error).message).split('\n');
    throw new ConfigError([`SOURCES_FILE: ${path} is not YAML: ${first}`]);
  }
}

const FILE_PATHS = [...SECRET_PATHS, 'connection.tls.ca', 'connection.tls.cert'];

/** Puts the contents of `<name>_file` in its place. */
function readFiles(raw: unknown, where: string): readonly string[] {
  if (typeof raw !== 'object' || raw === null) return [];
  return FILE_PATHS.flatMap((path) => {
    const { parent, leaf } = placeOf(raw as Record<string, unknown>, path);
    const file = parent?.[`${leaf}_file`];
    if (parent === null || typeof file !== 'string') return [];
    delete parent[`${leaf}_file`];
    if (parent[leaf] !== undefined)
      return [`SOURCES_FILE: ${where}.${path}: given directly and as ${leaf}_file; keep one`];
    try {
      parent[leaf] = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      return [];
    } catch (error) {
      return [
        `SOURCES_FILE: ${where}.${path}_file: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`,
      ];
    }
  });
}

function problemsOf(error: z.ZodError, where: string): readonly string[] {
  return error.issues.map(({ path, message }) => {
    const place = [where, ...path.map(String)].filter((part) => part !== '').join('.');
    return `SOURCES_FILE: ${place === '' ? '' : `${place}: `}${message}`;
  });
}
