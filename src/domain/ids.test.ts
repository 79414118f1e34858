import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeBase32,
  deliveryIdOf,
  encodeBase32,
  eventIdOf,
  formatUuid,
  idFloor,
  newId,
  newUuid,
  parseDeliveryId,
  parseEventId,
  parseUuid,
  uuidFloor,
  uuidTime,
} from './ids.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const uuidV7 = bytes(16).map((raw) => {
  raw[6] = 0x70 | (raw[6]! & 0x0f);
  return formatUuid(raw);
});

test('what is encoded comes back, in a length that follows from the bytes, sorted as the bytes are', () => {
  fc.assert(
    fc.property(bytes(16), bytes(16), (a, b) => {
      const [textA, textB] = [encodeBase32(a), encodeBase32(b)];
      expect(textA).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
      expect(decodeBase32(textA, 16)).toEqual(a);
      expect(Math.sign(Buffer.compare(a, b))).toBe(textA < textB ? -1 : textA > textB ? 1 : 0);
    }),
  );
});

test('a text that encoding would not have written decodes to nothing', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 25, maxLength: 27 }), (text) => {
      const decoded = decodeBase32(text, 16);
      if (decoded !== null) expect(encodeBase32(decoded)).toBe(text);
    }),
  );
  const text = encodeBase32(new Uint8Array(16).fill(255));
  // The last letter holds two padding bits: other letters would be a second spelling.
  expect(decodeBase32(`${text.slice(0, -1)}z`, 16)).toBeNull();
  expect(decodeBase32(text.toUpperCase(), 16)).toBeNull();
  expect(decodeBase32(text.slice(1), 16)).toBeNull();
});

test('UUIDs of one process rise strictly, within a millisecond and when the clock steps back', () => {
  const now = Date.now() + 60_000;
  const uuids = Array.from({ length: 10_000 }, (_, i) => newUuid(i % 3 === 0 ? now - 4_000 : now));
  for (const [i, uuid] of uuids.entries()) {
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    if (i > 0) expect(uuid > uuids[i - 1]!).toBe(true);
  }
});

test('a clock that was wrong by more than seconds is believed once it is right again', () => {
  const now = Date.now() + 90_000;
  const wrong = newUuid(now + 60_000);
  expect(uuidTime(wrong)).toBe(now + 60_000);
  expect(uuidTime(newUuid(now))).toBe(now);
});

test('a UUID carries its time, and the floor of that time is not above it', () => {
  const now = Date.now() + 120_000;
  const uuid = newUuid(now);
  expect(uuidTime(uuid)).toBe(now);
  expect(uuidFloor(now) <= uuid && uuid < uuidFloor(now + 1)).toBe(true);
  expect(uuidFloor(-5)).toBe('00000000-0000-0000-0000-000000000000');
});

test('ids have their prefix and no dot, and list in order of creation', () => {
  const now = Date.now() + 180_000;
  const ids = [newId('ep', now), newId('ep', now + 1)];
  expect(ids).toEqual([...ids].sort());
  expect(ids[0]).toMatch(/^ep_[0-9a-z]{26}$/);
});

test('an event id gives back its UUID, and nothing else is taken for one', () => {
  fc.assert(
    fc.property(uuidV7, (uuid) => {
      expect(parseEventId(eventIdOf(uuid))).toBe(uuid);
      expect(formatUuid(parseUuid(uuid))).toBe(uuid);
    }),
  );
  for (const id of [
    '',
    'evt_',
    'evt_1234567890',
    `ep_${encodeBase32(new Uint8Array(16))}`,
    `evt_${encodeBase32(new Uint8Array(16))}`,
  ]) {
    expect(parseEventId(id)).toBeNull();
  }
});

test('a delivery id gives back its event and endpoint, and nothing else is taken for one', () => {
  fc.assert(
    fc.property(uuidV7, fc.integer({ min: 0, max: 0x7fffffff }), (eventUuid, endpointNum) => {
      const id = deliveryIdOf(eventUuid, endpointNum);
      expect(id).toMatch(/^dlv_[0-9a-z]{32}$/);
      expect(parseDeliveryId(id)).toEqual({ eventUuid, endpointNum });
    }),
  );
  for (const id of ['', 'dlv_', 'dlv_x', `evt_${'0'.repeat(32)}`, `dlv_${'z'.repeat(32)}`])
    expect(parseDeliveryId(id)).toBeNull();
});

test('ids of a millisecond and later ones are not before its floor, and earlier ones are', () => {
  const ms = 1_800_000_000_000;
  const [earlier, own] = [newId('ep', ms - 1), newId('ep', ms)];
  expect([earlier, idFloor('ep', ms), own].toSorted()).toEqual([earlier, idFloor('ep', ms), own]);
});
