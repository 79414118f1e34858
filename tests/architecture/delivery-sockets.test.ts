import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const DELIVERY = new URL('../../src/delivery/', import.meta.url);

/** Brokers have a guard of their own (`brokers/host-guard.ts`); fixtures are of tests. */
const APART = ['brokers/', 'fixtures/'];

/** What of node makes sockets to elsewhere, with or without `node:` before it, and what needs no socket among it. */
const OPENERS = ['net', 'tls', 'http', 'https', 'http2', 'dgram'].flatMap((name) => [name, `node:${name}`]);
const HARMLESS = ['isIP', 'isIPv4', 'isIPv6'];
/** Those of undici connect by what they are given alone (see `origin-pools.ts`). */
const GIVEN_A_CONNECTOR = ['Client', 'Pool', 'Dispatcher'];

const IMPORTS = /(?:^|;|\n)\s*(?:import|export)\s+(?!type\b)(?:([^;'"]*?)\s*from\s*)?['"]([^'"]+)['"]/g;
/** Whatever is loaded while the program runs, and what node has without an import. */
const UNSEEN =
  /\bimport\s*\(|\brequire\b|\bcreateRequire\b|\bgetBuiltinModule\b|(?<!(?<!globalThis)\.|[#\w])(?:fetch|WebSocket|EventSource)\b/;
const COMMENTS = /^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm;

/** Whether a text takes what opens sockets from node or undici, or may; types do not. */
function opensSockets(text: string): boolean {
  const code = text.replace(COMMENTS, '');
  const imports = [...code.matchAll(IMPORTS)];
  return UNSEEN.test(code) || imports.some(([, names = '', from]) => takesOpener(names, from!));
}

function takesOpener(names: string, from: string): boolean {
  const allowed = OPENERS.includes(from) ? HARMLESS : /^undici\b/.test(from) ? GIVEN_A_CONNECTOR : null;
  if (allowed === null) return false;
  const listed = /^\{([^}]*)\}$/.exec(names.trim());
  if (listed === null) return true;
  const values = listed[1]!.split(',').map((name) => name.trim());
  return values.some((name) => name !== '' && !name.startsWith('type ') && !allowed.includes(name.split(/\s/)[0]!));
}

test.each([
  [`import { connect } from 'node:net';`, true],
  [`import { isIP, connect as connectTcp, type Socket } from 'node:net';`, true],
  [`import {\n  isIP,\n  Socket,\n} from 'node:net';`, true],
  [`import { Server } from "net";`, true],
  [`import { TLSSocket } from 'node:tls';`, true],
  [`import { request } from 'node:https';`, true],
  [`import { Agent } from 'node:http';`, true],
  [`import net from 'node:net';`, true],
  [`import net, { isIP } from 'node:net';`, true],
  [`import * as tls from 'node:tls';`, true],
  [`export { connect } from 'node:net';`, true],
  [`import { createSocket } from 'node:dgram';`, true],
  [`const { connect } = await import('node:net');`, true],
  [`const net = process.getBuiltinModule('node:net');`, true],
  [`const net = createRequire(import.meta.url)('node:net');`, true],
  [`const answer = await fetch(url);`, true],
  [`const answer = await globalThis.fetch(url);`, true],
  [`new WebSocket(url);`, true],
  [`import { Agent } from 'undici';`, true],
  [`import { Client, request } from 'undici';`, true],
  [`import undici from 'undici';`, true],
  [`import buildConnector from 'undici/lib/core/connect.js';`, true],
  [`import { isIP, type Socket } from 'node:net';`, false],
  [`import { isIPv4, isIPv6 as isSix } from 'node:net';`, false],
  [`import type { Socket } from 'node:net';`, false],
  [`export type { Socket } from 'node:net';`, false],
  [`import { Client, type Dispatcher, Pool } from 'undici';`, false],
  [`import { prefetch } from './lane.ts';\nprefetch(lane.fetch());`, false],
  [`// What fetch( does\n/* import('x') */`, false],
  [`/* why */ import net from 'node:net';`, true],
  [`const accept = '*/*';\nfetch(url); /* why */`, true],
])('%s: whether it opens sockets is %s', (text, expected) => {
  expect(opensSockets(text)).toBe(expected);
});

test('sockets to receivers are opened where the peer is checked, and TLS is begun by what opens them alone', async () => {
  const files = (await readdir(DELIVERY, { recursive: true })).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !APART.some((folder) => name.startsWith(folder)),
  );
  const found = [];
  for (const name of files) if (opensSockets(await readFile(new URL(name, DELIVERY), 'utf8'))) found.push(name);
  expect(found.sort()).toEqual(['guarded-connector.ts', 'open-socket.ts']);
});
