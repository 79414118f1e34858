import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type IpNetwork, isWithin, parseCidr, parseIp, prefixKey } from './ip-network.ts';
import { NetworkTree } from './network-tree.ts';
import { WordArena } from './word-arena.ts';

/** Groups that differ in few bits, at either end, so that networks are often in each other. */
const group = fc.constantFrom(0, 1, 2, 3, 0x7fff, 0x8000, 0xc000, 0xffff);
const address = fc.oneof(
  fc.array(group, { minLength: 2, maxLength: 2 }),
  fc.array(group, { minLength: 8, maxLength: 8 }),
  fc.tuple(group, group).map(([first, last]) => [first, 0, 0, 0, 0, 0, 0, last]),
);
const network = fc
  .tuple(address, fc.nat(128))
  .map(([groups, bits]): IpNetwork => ({ groups, bits: bits % (groups.length * 16 + 1) }));

function keyOf({ groups, bits }: IpNetwork): string {
  return `${groups.length} ${bits} ${prefixKey(groups, bits)}`;
}

test('an address finds the networks that it is in, in few steps, while networks come and go', () => {
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(network, { minLength: 30, maxLength: 60 }),
      fc.array(address, { minLength: 10, maxLength: 20 }),
      (steps, addresses) => {
        const arena = new WordArena();
        const tree = new NetworkTree(arena);
        const present = new Map<string, { network: IpNetwork; record: number }>();
        const remove = (key: string) => {
          expect(tree.delete(present.get(key)!.network)).toBe(true);
          present.delete(key);
        };
        const check = (groups: readonly number[]) => {
          const all = [...present.values()];
          const wanted = all.filter((each) => isWithin(groups, each.network)).map(({ record }) => record);
          const records: number[] = [];
          const looked = tree.visit(groups, 1, (record) => records.push(record));
          expect(records.sort()).toEqual(wanted.sort());
          // Each node but the last has the address in it, and stands for a network, or for where one leaves the address's way.
          expect(looked).toBeLessThanOrEqual(
            all.filter((each) => each.network.groups.length === groups.length).length + 1,
          );
          found += wanted.length;
        };
        for (const [num, one] of steps.entries()) {
          const key = keyOf(one);
          if (present.has(key)) remove(key);
          else {
            expect(tree.delete(one)).toBe(false);
            present.set(key, { network: one, record: (num + 1) * 1_000_000 });
            tree.add(one, (num + 1) * 1_000_000);
          }
          if (num % 10 === 0) check(one.groups);
        }
        for (const groups of [...addresses, ...steps.map((each) => each.groups)]) check(groups);
        for (const key of present.keys()) remove(key);
        expect([tree.isEmpty, arena.used]).toEqual([true, 0]);
      },
    ),
    { numRuns: 150 },
  );
  expect(found).toBeGreaterThan(2_000);
});

test('an address that has nothing in common with networks of all lengths is done with the first', () => {
  const tree = new NetworkTree(new WordArena());
  for (let bits = 1; bits <= 128; bits++) tree.add(parseCidr(`8000::/${bits}`)!, bits * 1_000);
  const steps = (text: string) => tree.visit(parseIp(text)!, 1, () => undefined);
  expect([steps('::1'), steps('8000::'), steps('8100::'), steps('127.0.0.1')]).toEqual([1, 128, 7, 0]);
});
