import { expect, test } from 'vitest';
import { addressOf } from './postgres-url.ts';

test('a URL without parameters stays as it is written', () => {
  const url = 'postgres://user:p%40ss@db:5432/posthorn?sslmode=require';
  expect(addressOf(url).connectionString).toBe(url);
});

test('options of the URL come before ours, so that ours hold, and what a pool decides is not the URL’s to say', () => {
  const url =
    'postgres://user:p%40ss@db/posthorn?options=-c%20jit%3Don%20-c%20work_mem%3D5MB&statement_timeout=1&sslmode=require';
  expect(addressOf(url, '-c jit=off')).toEqual({
    connectionString: 'postgres://user:p%40ss@db/posthorn?sslmode=require',
    options: expect.stringMatching(/^-c jit=on -c work_mem=5MB -c search_path=public -c datestyle=ISO .* -c jit=off$/),
  });
});

test.each([
  'application_name',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
])('%s of the URL does not hold', (name) => {
  expect(addressOf(`postgres://db/posthorn?${name}=1`).connectionString).toBe('postgres://db/posthorn');
});
