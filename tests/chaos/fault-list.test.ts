import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faultList } from './fault-list.ts';
import { scenarios } from './scenarios/all.ts';
import { soak } from './scenarios/soak.ts';

const all = [...scenarios, soak(1, undefined)];

test('every row of the fault list is played by a scenario, held by a test, or says why it cannot be', () => {
  const played = new Set(all.flatMap(({ rows }) => rows));
  const bare = faultList.filter(
    ({ id, tests = [], notHere }) => !played.has(id) && tests.length === 0 && notHere === undefined,
  );
  expect(bare).toEqual([]);
  const known = new Set(faultList.map(({ id }) => id));
  expect([...played].filter((row) => !known.has(row))).toEqual([]);
});

test('the tests that the fault list names exist', () => {
  expect(faultList.flatMap(({ tests = [] }) => tests).filter((file) => !existsSync(file))).toEqual([]);
});

test('a file of crashes that the fault list names for a row names the row', () => {
  const named = faultList.flatMap(({ id, tests = [] }) => tests.map((file) => ({ id, file })));
  const ofCrashes = named.filter(({ file }) => /(crash|redis)/.test(file));
  expect(ofCrashes.filter(({ id, file }) => !new RegExp(`\\b${id}\\b`).test(readFileSync(file, 'utf8')))).toEqual([]);
});

test('no two scenarios and no two rows share a name', () => {
  for (const names of [all.map(({ id }) => id.toLowerCase()), faultList.map(({ id }) => id)])
    expect(new Set(names).size).toBe(names.length);
});
