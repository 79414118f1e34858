import { afterEach, expect, test, vi } from 'vitest';
import { keyPlace } from '../../../src/ingest/key-place.ts';
import { newEventId } from './event-id.ts';

afterEach(() => void vi.useRealTimers());

test('ids are UUIDv7 of the moment, which differ', () => {
  vi.useFakeTimers({ now: 0x019a_bcde_f012 });
  const ids = Array.from({ length: 1_000 }, newEventId);
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^019abcde-f012-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('the server keeps ids of one minute together', () => {
  vi.useFakeTimers({ now: 0x019a_bcde_0000 });
  const first = newEventId();
  vi.setSystemTime(0x019a_bcde_ffff);
  expect(keyPlace(newEventId())).toBe(keyPlace(first));
});
