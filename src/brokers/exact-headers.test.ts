import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactHeaders, mayBeRounded } from './exact-headers.ts';

/** What rabbitmq-client 5.0.8 reads and writes frames with, and does not show. */
const codec = createRequire(import.meta.url)(
  createRequire(import.meta.url)
    .resolve('rabbitmq-client')
    .replace(/index\.js$/, 'codec.js'),
) as {
  encodeFrame(frame: object): Buffer;
  decodeFrame(read: (bytes: number) => Promise<Buffer>): Promise<{ fields: { headers?: object } }>;
};

const HEADER_FRAME = 2;
const PREFIX = 7;

function frameOf(fields: object): Buffer {
  return codec.encodeFrame({ type: HEADER_FRAME, channelId: 1, bodySize: 0, fields }).subarray(PREFIX);
}

async function clientHeaders(frame: Buffer): Promise<object | undefined> {
  const prefix = Buffer.alloc(PREFIX);
  prefix[0] = HEADER_FRAME;
  prefix.writeUInt32BE(frame.length - 1, 3);
  const reads = [prefix, frame];
  return (await codec.decodeFrame(async () => reads.shift()!)).fields.headers;
}

const rounded = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, rounded(each)]));
};

test('headers are what the client reads, but for whole numbers of 64 bits, which are what was written', async () => {
  const name = fc.string({ unit: fc.constantFrom(...'abcé-'), maxLength: 8 });
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.double({ noNaN: true, min: -1e15, max: 1e15 }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(name, tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  const fields = fc.record(
    { contentType: name, contentEncoding: name, headers: fc.dictionary(name, value), messageId: name },
    { requiredKeys: ['headers'] },
  );
  await fc.assert(
    fc.asyncProperty(fields, async (given) => {
      const frame = frameOf(given);
      const read = exactHeaders(frame);
      expect(rounded(read)).toEqual(await clientHeaders(frame));
      const lasting = (each: unknown) => typeof each === 'bigint';
      for (const [key, each] of Object.entries(given.headers)) if (lasting(each)) expect(read[key]).toBe(each);
    }),
    { numRuns: 50 },
  );
});

test('values of every type are read, and what stands behind each', async () => {
  const hex = {
    B: 'ff',
    b: 'ff',
    s: 'fffe',
    u: 'fffe',
    I: 'fffffffe',
    i: 'fffffffe',
    l: '8000000000000001',
    T: 'ffffffffffffffff',
    f: '3fc00000',
    d: '3ff8000000000000',
    D: '02fffffffe',
    t: '01',
    V: '',
    S: '00000002c3a9',
    x: '00000001ff',
    A: '0000000474017401',
    F: '00000004016174' + '01',
  };
  const fields = Object.entries(hex).map(([type, bytes]) =>
    Buffer.concat([Buffer.from(`\u0001${type}${type}`), Buffer.from(bytes, 'hex')]),
  );
  const table = Buffer.concat(fields);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(table.length);
  const start = Buffer.alloc(14);
  start.writeUInt16BE(0x2000, 12);
  const frame = Buffer.concat([start, length, table, Buffer.from([0xce])]);
  const read = exactHeaders(frame);
  expect(read).toMatchObject({ l: -9223372036854775807n, T: 18446744073709551615n, i: 4294967294, V: null });
  expect(rounded(read)).toEqual(await clientHeaders(frame));
});

test('a whole number that the client may have rounded is found wherever it stands, at any depth', () => {
  const large = Number(9_007_199_254_740_993n);
  expect(mayBeRounded({ a: [{ b: -large }] })).toBe(true);
  expect(mayBeRounded({ a: [1, 'x', null, { b: 2 ** 53 - 1 }], c: 1.5e10, d: Buffer.alloc(9), e: true })).toBe(false);
  let deep: object = { large };
  for (let n = 0; n < 100_000; n++) deep = { deep };
  expect(mayBeRounded(deep)).toBe(true);
});
