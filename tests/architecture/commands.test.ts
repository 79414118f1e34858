import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** Our own commands; the service itself is configured by its environment alone. */
const commands = Object.entries(scripts).flatMap(([name, script]) => {
  const file = /^exec sh scripts\/ready\.sh node .*?(\S+\.ts)$/.exec(script)?.[1];
  return file === undefined || name === 'start' ? [] : [{ name, file }];
});

function run(file: string, ...args: string[]) {
  // Nothing may be reached, should one start to work.
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, NODE_COMPILE_CACHE, DATABASE_URL: 'postgresql://127.0.0.1:1/none' };
  return spawnSync(process.execPath, [join(ROOT, file), ...args], { encoding: 'utf8', env, timeout: 60_000 });
}

test('the commands were found', () => {
  expect(commands.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['migrate', 'reseal', 'demo:load', 'bench', 'bench:router', 'chaos', 'docs']),
  );
});

test.each(commands)('npm run $name refuses an argument that it does not know, with its usage', ({ name, file }) => {
  const { status, stdout, stderr } = run(file, '--no-such-flag');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr.split('\n').slice(0, 2)).toEqual(["Unknown option '--no-such-flag'", '']);
  expect(stderr.split('\n')[2]).toMatch(new RegExp(`^npm run ${name} `));
  expect(stderr).not.toMatch(/^ {4}at /m);
});

test('a command that is asked for help prints its usage, and does nothing', () => {
  const { file } = commands.find(({ name }) => name === 'migrate')!;
  const { status, stdout, stderr } = run(file, '--help');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^npm run migrate /);
});

/** Runs `npm run reseal` with nothing but these variables. */
function runReseal(variables: Record<string, string>) {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const { file } = commands.find(({ name }) => name === 'reseal')!;
  const env = { PATH, NODE_COMPILE_CACHE, ...variables };
  return spawnSync(process.execPath, [join(ROOT, file)], { encoding: 'utf8', env, timeout: 60_000 });
}

const nowhere = join(tmpdir(), `posthorn-nothing-${process.pid}`);

test('npm run reseal makes no database where there is none, and says what to name', () => {
  const { status, stdout } = runReseal({ DATA_DIR: nowhere });
  expect({ status, exists: existsSync(nowhere) }).toEqual({ status: 2, exists: false });
  expect(stdout).toContain('DATABASE_URL: not set');
});

test('npm run reseal does not take the embedded database where DATABASE_URL is empty beside a MASTER_KEY: another may be meant', () => {
  const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');
  const { status, stdout } = runReseal({ DATA_DIR: nowhere, DATABASE_URL: '', MASTER_KEY });
  expect(status).toBe(2);
  expect(stdout).toContain('DATABASE_URL: empty beside MASTER_KEY');
});
