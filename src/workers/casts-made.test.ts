import { expect, test, vi } from 'vitest';
import type { Cast } from '../event-types/cast.ts';
import { CastBook } from '../event-types/cast-book.ts';
import { CastTooLarge, MAX_GROWTH } from '../event-types/cast-data.ts';
import * as events from '../event-types/cast-event.ts';
import { CastsMade } from './casts-made.ts';

const { castEvent } = events;
vi.mock(import('../event-types/cast-event.ts'), async (original) => {
  const real = await original();
  return { ...real, castEvent: vi.fn(real.castEvent), eventMembers: vi.fn(real.eventMembers) };
});

const cast = (from: string, defaults: Cast['defaults']) => ({ from, renames: {}, defaults, removes: [], restores: {} });
const version = (major: number, defaults?: Cast['defaults']) => {
  const casts = defaults === undefined ? null : cast(`${major - 1}.0.0`, defaults);
  return { type: 'a.b', major, minor: 0, patch: 0, cast: casts };
};
const book = new CastBook([version(1), version(2, { n: 2 }), version(3, { m: 'x'.repeat(MAX_GROWTH) })]);
const pin = (major: number) => [{ pattern: 'a.*', major }];
const bodyOf = (data: string) => Buffer.from(`{"id":"e","type":"a.b","version":"1.0","data":${data}}`);

function setUp(maxBytes?: number) {
  vi.mocked(castEvent).mockClear();
  vi.mocked(events.eventMembers).mockClear();
  const paid: [number, number][] = [];
  const ledger = { paid: (tenantNum: number, cost: number) => paid.push([tenantNum, cost]) };
  const made = new CastsMade(maxBytes);
  return { paid, to: (major: number, body: Uint8Array, of = book) => made.castFor(7, pin(major), of)(body, ledger) };
}

test('an event is cast once for all endpoints that want the same of it, and paid for once (G4)', () => {
  const { paid, to } = setUp();
  const body = bodyOf('{"a":1}');
  const casts = Array.from({ length: 50 }, () => to(2, body));
  expect(Buffer.from(casts[0]!).toString()).toContain('"version":"2.0","data":{"a":1,"n":2}');
  // The same bytes, so that they are also written once as a CloudEvent.
  expect(new Set(casts).size).toBe(1);
  expect(castEvent).toHaveBeenCalledOnce();
  expect(paid).toEqual([
    [7, body.length / 4],
    [7, 1 + '{"a":1}'.length / 12],
  ]);
});

test('an event that cannot be cast is found out once for all endpoints and attempts, and paid for once (G4)', () => {
  const { paid, to } = setUp();
  const body = bodyOf('{"a":1}');
  for (let i = 0; i < 50; i++) expect(() => to(3, body)).toThrow(CastTooLarge);
  expect(castEvent).toHaveBeenCalledOnce();
  expect(paid).toHaveLength(2);
});

test('what is not cast is told to be so after one look into it', () => {
  const { paid, to } = setUp();
  const body = bodyOf('{}');
  for (let i = 0; i < 50; i++) expect(to(1, body)).toBe(body);
  expect(events.eventMembers).toHaveBeenCalledOnce();
  expect(paid).toHaveLength(1);
});

test('other bodies, and the same for other majors, are cast for themselves', () => {
  const { to } = setUp();
  const texts = [to(2, bodyOf('{"a":1}')), to(2, bodyOf('{"a":2}'))].map((bytes) => Buffer.from(bytes).toString());
  expect(texts.map((text) => JSON.parse(text).data)).toEqual([
    { a: 1, n: 2 },
    { a: 2, n: 2 },
  ]);
});

test('no more bytes of casts are remembered than may be', () => {
  const { to } = setUp(2_000);
  const bodies = Array.from({ length: 5 }, (_, i) => bodyOf(`{"a":"${'x'.repeat(500)}${i}"}`));
  for (const body of [...bodies, bodies.at(-1)!]) to(2, body);
  expect(castEvent).toHaveBeenCalledTimes(5);
  to(2, bodies[0]!);
  expect(castEvent).toHaveBeenCalledTimes(6);
});

test('what a cast reads anew at each level of a path is paid for', () => {
  const { paid, to } = setUp();
  const deep = Array.from({ length: 10 }, () => 'a');
  const inner = `{"b":"${'x'.repeat(10_000)}"}`;
  const book = new CastBook([version(1), version(2, { [[...deep, 'c'].join('.')]: 1 })]);
  const body = bodyOf(deep.reduce((data, name) => `{"${name}":${data}}`, inner));
  to(2, body, book);
  const read = paid.reduce((sum, [, cost]) => sum + cost, 0) - body.length / 4;
  expect(read).toBeGreaterThan((11 * inner.length) / 12);
  expect(read).toBeLessThan((11 * inner.length) / 12 + 200);
});
