import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/run-command.ts';
import { readPair } from './results-folder.ts';

const RESULTS = join(import.meta.dirname, '../../../bench/results');
const results = readdirSync(RESULTS).filter((name) => name.endsWith('.json'));
const [oldest, newest] = [results.sort().at(0)!, results.sort().at(-1)!].map((name) => join(RESULTS, name));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'posthorn-results-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function refusal(...paths: [string, string?]): Promise<string> {
  const error = await readPair(...paths).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as Error).message;
}

test('every result that is kept can be compared, with the newest where no other is named', async () => {
  for (const name of results)
    expect(
      (await readPair(join(RESULTS, name), join(RESULTS, name === results[0] ? results[1]! : results[0]!)))[0].limit,
    ).toBeDefined();
  const [first, second] = await readPair(oldest!);
  expect([first.at < second.at, second]).toEqual([true, (await readPair(newest!, oldest!))[0]]);
});

test.each([
  ['{"name": "posthorn"}', 'is not a result of npm run bench'],
  ['null', 'is not a result of npm run bench'],
  ['[]', 'is not a result of npm run bench'],
  ['{"at": "2026", "machine": {}, "limit": {}, "scenarios": [null]}', 'is not a result of npm run bench'],
  ['# Benchmark', 'is not JSON'],
])('a file that holds %s is refused by its name', async (text, problem) => {
  const path = join(folder, 'other.json');
  writeFileSync(path, text);
  expect(await refusal(path, oldest)).toContain(`${path} ${problem}`);
  expect(await refusal(oldest!, path)).toContain(`${path} ${problem}`);
});

test('a file that is not there is refused by its name', async () => {
  expect(await refusal(join(folder, 'none.json'))).toMatch(/^--compare: cannot read .*none\.json: ENOENT$/);
});

test('a result is not compared with itself, by whatever path', async () => {
  expect(await refusal(newest!)).toContain('is the newest result itself');
  const link = join(folder, 'link.json');
  symlinkSync(oldest!, link);
  expect(await refusal(oldest!, link)).toContain('are the same file');
});
