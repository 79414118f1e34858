import { expect, test } from 'vitest';
import { settingsFile, sharedBuffers } from './server-settings.ts';

const GIB = 1024 ** 3;

test('Postgres keeps an eighth of the memory for its pages, a gigabyte at the most and 128 MB at the least', () => {
  expect([0.5, 1, 4, 64].map((gib) => sharedBuffers(gib * GIB))).toEqual(['128MB', '128MB', '512MB', '1024MB']);
});

test('the file has each setting in quotes, on a line of its own', () => {
  expect(settingsFile()).toMatch(/^shared_buffers = '\d+MB'$/m);
  expect(settingsFile()).toMatch(/^synchronous_commit = 'on'$/m);
});
