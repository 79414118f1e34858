import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const DELIVERY = new URL('../../src/delivery/', import.meta.url);

/** What of node makes sockets to elsewhere. */
const OPENERS = /\b(?:connect|createConnection|Socket)\b/;

/** Whether a text takes from node what opens sockets; types do not. */
function opensSockets(text: string): boolean {
  return [...text.matchAll(/import (?!type )([^;]*?) from 'node:(?:net|tls|http|https|http2|dgram)'/g)].some(
    ([, names]) => {
      const values = names!.replace(/\btype \w+/g, '');
      return !values.includes('{') || OPENERS.test(values);
    },
  );
}

test.each([
  [`import { connect } from 'node:net';`, true],
  [`import { isIP, connect as connectTcp, type Socket } from 'node:net';`, true],
  [`import net from 'node:net';`, true],
  [`import * as tls from 'node:tls';`, true],
  [`import { isIP, type Socket } from 'node:net';`, false],
  [`import type { Socket } from 'node:net';`, false],
])('%s: whether it opens sockets is %s', (text, expected) => {
  expect(opensSockets(text)).toBe(expected);
});

test('sockets to receivers are opened where the peer is checked, and TLS is begun by what opens them alone', async () => {
  const files = (await readdir(DELIVERY)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const found = [];
  for (const name of files) if (opensSockets(await readFile(new URL(name, DELIVERY), 'utf8'))) found.push(name);
  expect(found.sort()).toEqual(['guarded-connector.ts', 'open-socket.ts']);
});
