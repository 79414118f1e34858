import { expect, test } from 'vitest';
import { utf8MediaType } from './utf8-media-type.ts';

const json = utf8MediaType('application/json');

test.each([
  'application/json',
  'Application/JSON',
  'application/json;',
  'application/json; ',
  'application/json ;; ;',
  'application/json;charset=utf-8',
  'application/json; charset="UTF-8"',
  'application/json ; charset=utf8 ; ',
  'application/json;;charset=utf-8;',
  'application/json; profile=x',
  'application/json;version=1.0;charset=utf-8; x="a;b\\"c, charset=latin1"',
  'application/json; charsets=latin1',
])('%j is one in UTF-8', (contentType) => {
  expect(json.test(contentType)).toBe(true);
});

test.each([
  '',
  'application/jsonp',
  'application/json charset=utf-8',
  'application/json; charset=latin1',
  'application/json; charset=utf-8; charset=latin1',
  'application/json; charset=',
  'application/json; profile=x; charset=latin1',
  'application/json; CHARSET="latin1"; profile=x',
  'application/json; profile',
  'application/json; =x',
  'application/json; profile="x',
  'application/json; profile = x',
  'application/json,',
  'application/vnd.api+json',
])('%j is not', (contentType) => {
  expect(json.test(contentType)).toBe(false);
});

test('a long one costs no more than its length', () => {
  const start = performance.now();
  expect(json.test(`application/json${'; \t'.repeat(20_000)}x`)).toBe(false);
  expect(json.test(`application/json${' '.repeat(60_000)}x`)).toBe(false);
  expect(json.test(`application/json${';a="b"'.repeat(20_000)},`)).toBe(false);
  expect(json.test(`application/json;a="${'\\\\'.repeat(30_000)}`)).toBe(false);
  expect(performance.now() - start).toBeLessThan(1_000);
});
