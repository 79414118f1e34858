import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventIdOf } from '../domain/ids.ts';
import { keyPlace } from './key-place.ts';

const placesOf = (texts: readonly string[]) => new Set(texts.map(keyPlace)).size;

const NOW = Date.UTC(2026, 10, 27);
/** The first millisecond of a span of 2^`bits` ms. */
const spanStart = (ms: number, bits: number) => ms - (ms % 2 ** bits);
const times = fc.integer({ min: Date.UTC(2005, 0, 1), max: Date.UTC(2500, 0, 1) });
const words = fc.string({ unit: fc.constantFrom('a', 'Z', '_', '-', ':', '/', 'é', '\0'), maxLength: 12 });

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function ulid(ms: number): string {
  const time = Array.from({ length: 10 }, (_, i) => CROCKFORD[Math.floor(ms / 32 ** (9 - i)) % 32]);
  return [...time, ...Array.from({ length: 16 }, () => CROCKFORD[Math.floor(Math.random() * 32)])].join('');
}

function uuid7(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`;
}

describe('counters', () => {
  const counters = fc.tuple(fc.nat(10_000_000), fc.nat(999), fc.nat(999), fc.nat(14));

  test('those of one thousand are neighbours, whatever stands around them and however they are padded', () => {
    fc.assert(
      fc.property(words, words, counters, (before, after, [thousand, one, other, width]) => {
        const key = (last: number) => `${before}-${String(thousand * 1_000 + last).padStart(width, '0')}${after}`;
        expect(keyPlace(key(one))).toBe(keyPlace(key(other)));
      }),
    );
  });

  test('each thousand has another place, so has what stands around it', () => {
    const each = (key: (i: number) => string) => placesOf(Array.from({ length: 1_000 }, (_, i) => key(i)));
    expect(each((i) => `order-${i * 1_000}`)).toBeGreaterThan(995);
    const session = uuid7(NOW);
    expect(each((i) => `${session}-${i * 1_000}`)).toBeGreaterThan(995);
    expect(each((i) => `run ${i}, 17`)).toBeGreaterThan(995);
    expect(placesOf(['order-1-paid', 'order-1-sent', 'invoice-1-paid'])).toBe(3);
  });

  test('times in milliseconds, microseconds and nanoseconds, and Snowflakes, are neighbours for seconds', () => {
    for (const finer of ['', '000', '000000']) {
      const at = (ms: number) => `pay-${ms}${finer}`;
      expect(keyPlace(at(NOW + 20_000))).toBe(keyPlace(at(NOW + 21_234)));
      expect(keyPlace(at(NOW))).not.toBe(keyPlace(at(NOW + 1_000_000)));
    }
    const snowflake = (ms: number) => String(BigInt(ms - 1_288_834_974_657) << 22n);
    expect(snowflake(NOW)).toHaveLength(19);
    expect(keyPlace(snowflake(NOW + 12_000))).toBe(keyPlace(snowflake(NOW + 12_900)));
  });
});

describe('ids that begin with a time', () => {
  test('ULIDs of the same half minute are neighbours, in either case, behind any prefix, before the same suffix', () => {
    fc.assert(
      fc.property(words, words, times, fc.nat(2 ** 15 - 1), fc.nat(2 ** 15 - 1), (before, after, time, one, other) => {
        const start = spanStart(time, 15);
        const key = (ms: number) => `${before}_${ulid(ms)}:${after}`;
        expect(keyPlace(key(start + one))).toBe(keyPlace(`${randomUUID()}${key(start + other)}`));
        expect(keyPlace(key(start + one).toLowerCase())).toBe(keyPlace(key(start + other).toLowerCase()));
      }),
    );
  });

  test('UUIDv7s of the same minute are neighbours, in either case, behind any prefix, before the same suffix', () => {
    fc.assert(
      fc.property(words, words, times, fc.nat(2 ** 16 - 1), fc.nat(2 ** 16 - 1), (before, after, time, one, other) => {
        const start = spanStart(time, 16);
        const key = (ms: number) => `${before}/${uuid7(ms)}-${after}`;
        expect(keyPlace(key(start + one))).toBe(keyPlace(`${randomUUID()}${key(start + other)}`));
        expect(keyPlace(key(start + one).toUpperCase())).toBe(keyPlace(key(start + other).toUpperCase()));
      }),
    );
  });

  test('our own event ids of the same eight seconds are neighbours', () => {
    const start = spanStart(NOW, 13);
    expect(placesOf([0, 1_000, 8_191].map((ms) => eventIdOf(uuid7(start + ms))))).toBe(1);
  });

  test('another minute and another short suffix are other places, and a long one, which may be random, is none', () => {
    const minutes = Array.from({ length: 1_000 }, (_, i) => NOW + i * 65_536);
    expect(placesOf(minutes.map((ms) => ulid(ms)))).toBeGreaterThan(995);
    const [one, other] = [ulid(NOW), ulid(NOW)];
    expect(placesOf([one, `${one}-paid`, `${one}-sent`])).toBe(3);
    expect(placesOf([`${one}-17`, `${one}-18`, `${other}-999`])).toBe(1);
    expect(placesOf([`${one}/${randomUUID()}`, `${other}/${randomUUID()}`])).toBe(1);
  });

  test('of several ids the last one counts: the first may be that of what lives for long', () => {
    const session = ulid(NOW);
    expect(placesOf([`${session}/${uuid7(NOW)}`, `${uuid7(NOW + 3_600_000)}/${uuid7(NOW)}`, uuid7(NOW)])).toBe(1);
    expect(placesOf([`${session}/${uuid7(NOW)}`, `${session}/${uuid7(NOW + 3_600_000)}`])).toBe(2);
  });

  const almost = {
    'a UUID of another version': () => `${uuid7(NOW).slice(0, 14)}4${randomUUID().slice(15)}`,
    'a UUID of another variant': () => `${uuid7(NOW).slice(0, 19)}c${randomUUID().slice(20)}`,
    'a UUIDv7 within a longer word': () => `x${uuid7(NOW)}`,
    'a UUIDv7 that goes on': () => `${uuid7(NOW)}a`,
    'a UUIDv7 with another letter': () => `${uuid7(NOW).slice(0, 35)}g`,
    'a UUIDv7 without a dash': () => `${uuid7(NOW).slice(0, 23)}0${randomUUID().slice(24)}`,
    'a ULID within a longer word': () => `x${ulid(NOW)}`,
    'a ULID that goes on': () => `${ulid(NOW)}x`,
    'a ULID that is too short': () => ulid(NOW).slice(0, 25),
    'letters that are not Crockford’s': () => `01U${ulid(NOW).slice(3)}`,
    'a time before 2004': () => ulid(Date.UTC(2004, 0, 1)),
  };

  test.each(Object.entries(almost))('%s is none, and keeps its own place', (_, key) => {
    expect(placesOf(Array.from({ length: 1_000 }, key))).toBeGreaterThan(990);
  });

  test('a counter that is padded to the length of a ULID is a counter', () => {
    const padded = (n: number) => String(n).padStart(26, '0');
    expect(keyPlace(padded(1_000))).toBe(keyPlace(padded(1_999)));
    expect(keyPlace(padded(1_000))).not.toBe(keyPlace(padded(2_000)));
  });
});

test('random keys are as random as they were: hardly two of ten thousand have one place', () => {
  expect(placesOf(Array.from({ length: 10_000 }, () => randomUUID()))).toBeGreaterThan(9_980);
});

test('places are spread evenly, however alike the texts are', () => {
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) counts[keyPlace(`r${i}000`) >>> 20]!++;
  for (const count of counts) expect(count).toBeGreaterThan(800);
});
