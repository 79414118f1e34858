import { Consumer, kGetApi } from '@platformatic/kafka';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CommittedConsumer } from './committed-consumer.ts';
import { FetchCaution } from './fetch-caution.ts';
import { ownBytes, type ReadRecord } from './own-bytes.ts';

const CHUNK = 64 * 1024;

/** Records whose parts are views into chunks as they come from a socket, `perChunk` to each. */
function recordsOf(count: number, perChunk: number, valueBytes = 100): ReadRecord[] {
  let chunk = Buffer.allocUnsafeSlow(CHUNK);
  let at = 0;
  const view = (bytes: number, fill: number) => {
    const part = chunk.subarray(at, at + bytes).fill(fill);
    at += bytes;
    return part;
  };
  return Array.from({ length: count }, (_, n) => {
    if (n % perChunk === 0) [chunk, at] = [Buffer.allocUnsafeSlow(CHUNK), 0];
    const headers: ReadRecord['headers'] = [[view(4, n + 2), view(4, n + 3)]];
    // Beside its parts it has some bytes that say how long they are.
    return { length: valueBytes + 24, key: view(8, n), value: view(valueBytes, n + 1), headers };
  });
}

const partsOf = ({ key, value, headers }: ReadRecord) => [key, value, ...headers.flat()];

/** What of memory records keep. */
function keptBy(records: readonly ReadRecord[]): number {
  const wholes = new Set(records.flatMap(partsOf).flatMap((part) => (part === null ? [] : [part.buffer])));
  return [...wholes].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

test('a few small records keep no more memory than they have, and are what they were', () => {
  const records = recordsOf(20, 4);
  const before = records.map((record) => partsOf(record).map((part) => part!.toString('hex')));
  ownBytes([{ records: records.slice(0, 7) }, { records: records.slice(7) }]);
  expect(keptBy(records)).toBe(20 * 116);
  expect(records.map((record) => partsOf(record).map((part) => part!.toString('hex')))).toEqual(before);
});

test('records that fill what they are a part of stay where they are', () => {
  const records = recordsOf(120, 60, 1_000);
  const parts = records.flatMap(partsOf);
  ownBytes([{ records }]);
  const after = records.flatMap(partsOf);
  expect(after.every((part, i) => part === parts[i])).toBe(true);
});

test('what has no key, no value or no header stays so, and nothing at all is no matter', () => {
  const [first] = recordsOf(1, 1);
  const records: ReadRecord[] = [
    { length: 124, key: null, value: first!.value, headers: [] },
    { length: 24, key: first!.key, value: null, headers: [[first!.key, null]] },
    { length: 0, key: null, value: Buffer.alloc(0), headers: [] },
  ];
  ownBytes([{ records }]);
  expect(records.map(({ key, value }) => [key?.length, value?.length])).toEqual([
    [undefined, 100],
    [8, undefined],
    [undefined, 0],
  ]);
  expect(records[1]!.headers).toEqual([[records[1]!.key, null]]);
  expect(keptBy(records.slice(0, 2))).toBe(116);
  ownBytes([]);
  ownBytes([{ records: [] }]);
});

test.each<[string, (whole: Buffer) => Pick<ReadRecord, 'key' | 'value' | 'headers'>]>([
  ['no value', (whole) => ({ key: whole.subarray(8, 16), value: null, headers: [] })],
  ['an empty value', (whole) => ({ key: whole.subarray(8, 16), value: EMPTY, headers: [] })],
  ['an empty value and key', (whole) => ({ key: EMPTY, value: EMPTY, headers: [[EMPTY, whole.subarray(8, 16)]] })],
  [
    'headers alone, the first empty',
    (whole) => ({
      key: null,
      value: null,
      headers: [
        [EMPTY, null],
        [whole.subarray(8, 16), EMPTY],
      ],
    }),
  ],
])('a record with %s keeps no more than it has', (_, partsIn) => {
  const records = Array.from({ length: 5 }, () => ({ length: 40, ...partsIn(Buffer.allocUnsafeSlow(CHUNK)) }));
  ownBytes([{ records }]);
  expect(keptBy(records)).toBe(5 * 8);
});

/** What the client gives for parts that are there and empty: of nothing that came. */
const EMPTY = Buffer.alloc(0);

type Answered = (error: null, response: object) => void;
type Call = (answered: Answered) => void;

test('while something waits, what a consumer is given of a partition keeps no more than it has, though another fills the same memory; otherwise nothing is copied', async () => {
  const records = recordsOf(61, 61, 1_000);
  const parts = [records.slice(0, 1), records.slice(1)];
  const partitions = parts.map((ofOne, partitionIndex) => {
    const batch = { firstOffset: 0n, lastOffsetDelta: ofOne.length - 1, attributes: 0, producerId: -1n };
    const numbered = ofOne.map((record, offsetDelta) => Object.assign(record, { offsetDelta }));
    return { partitionIndex, abortedTransactions: null, records: [{ ...batch, records: numbered }] };
  });
  const call: Call = (answered) => answered(null, { responses: [{ topicId: 't', partitions }] });
  const client = Consumer.prototype as unknown as Record<symbol, (...parameters: never[]) => void>;
  const beneath = vi.spyOn(client, kGetApi);
  onTestFinished(() => beneath.mockRestore());
  beneath.mockImplementation(((_: string, given: (error: null, api: Call) => void) => given(null, call)) as never);
  const consumer = new CommittedConsumer(
    { clientId: 'c', groupId: 'g', bootstrapBrokers: ['127.0.0.1:1'] },
    { caution: new FetchCaution(), nameOf: (id) => id, onHeld: () => {}, onOutOfRange: () => {} },
    () => {},
  );
  onTestFinished(() => consumer.close());
  const fetch = () => consumer[kGetApi]('Fetch', (_error, api) => (api as unknown as Call)(() => {}));
  let bytes = 0;
  const waiting = {
    get bytes() {
      return bytes;
    },
    bytesOf: () => 0,
  };
  consumer.room.watch(waiting);
  fetch();
  expect(parts.map(keptBy)).toEqual([CHUNK, CHUNK]);
  bytes = 1;
  fetch();
  expect(parts.map(keptBy)).toEqual([1_016, CHUNK]);
});
