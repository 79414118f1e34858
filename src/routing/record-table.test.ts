import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KIND } from './record-kind.ts';
import { RecordTable, tagOf } from './record-table.ts';
import { SeededHash } from './seeded-hash.ts';
import { UnitBuffer } from './unit-buffer.ts';
import { WordArena } from './word-arena.ts';

/** One whose texts collide by the dozen, at the end of the table too. */
class PoorHash extends SeededHash {
  override walk(...[, , , lengths, count]: Parameters<SeededHash['walk']>): number {
    return -(lengths[count - 1]! % 3);
  }
}

const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'é', 'Ā', '😀'), maxLength: 6 });

test.each([
  ['seeded', new SeededHash(1, 2)],
  ['poor', new PoorHash(1, 2)],
])('what is taken for known is known to the last unit, whatever hashes say: %s', (_name, hash) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(2), texts), { maxLength: 120 }), (steps) => {
      const table = new RecordTable(new WordArena(), hash);
      const model = new Map<string, number>();
      const buffer = new UnitBuffer();
      for (const [isAdded, path, text] of steps) {
        const [tag, key] = [tagOf(KIND.string, path), `${path} ${text}`];
        buffer.clear();
        buffer.putText(text);
        if (isAdded) {
          const record = table.intern(tag, buffer, 0);
          expect(record).toBe(model.get(key) ?? record);
          model.set(key, record);
        } else if (model.has(key)) {
          table.remove(model.get(key)!);
          model.delete(key);
        }
        expect(table.lookUp(tag, buffer, 0)).toBe(model.get(key) ?? 0);
      }
      expect(new Set(model.values()).size).toBe(model.size);
      expect(table.size).toBe(model.size);
      for (const [key, record] of model) {
        buffer.clear();
        buffer.putText(key.slice(2));
        expect(table.lookUp(tagOf(KIND.string, Number(key[0])), buffer, 0)).toBe(record);
      }
    }),
  );
});

test('the same texts have other hashes in another index, and the same in the same', () => {
  const { units } = new UnitBuffer();
  const hashes = (key: number) =>
    Array.from({ length: 50 }, (_, i) => new SeededHash(key, 7).walk(units, 0, 1, [i], 1, 1, null));
  expect(hashes(1)).toEqual(hashes(1));
  expect(new Set([...hashes(1), ...hashes(2)]).size).toBe(100);
});
