import { expect, test } from 'vitest';
import { z } from 'zod';
import { maskHeaders, readHeaders } from './header-input.ts';

const headers = z.object({ headers: z.unknown().transform(readHeaders) });
const faults = (value: unknown) =>
  headers.safeParse({ headers: value }).error?.issues.map(({ path, message }) => [path.join('.'), message]);

test('each fault is told at the header’s own name, and never with its value', () => {
  const found = faults({ 'X-A': 'sec\nret', Host: 'secret', fine: 'x' })!;
  expect(found.map(([path]) => path)).toEqual(['headers.X-A', 'headers.Host']);
  expect(JSON.stringify(found)).not.toMatch(/sec|ret"/);
});

test('__proto__ as a header is a fault and not a prototype', () => {
  expect(faults(JSON.parse('{"__proto__": "a"}'))).toMatchObject([['headers.__proto__', expect.any(String)]]);
});

test('a mask that was read by another is not written over the value', () => {
  expect(faults(maskHeaders({ Authorization: 'Bearer x' }))).toMatchObject([
    ['headers.Authorization', expect.stringContaining('***')],
  ]);
});

test.each([null, [], 'a', 1])('%j is not an object of headers', (value) => {
  expect(faults(value)).toMatchObject([['headers', expect.stringContaining('expected an object')]]);
});
